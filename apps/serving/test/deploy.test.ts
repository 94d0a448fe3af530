/** @file The deployment files against the parts of their schemas that matter here, and against the server they deploy. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { createMetrics } from "../src/observe/metrics.ts";
import { kserveRoutes } from "../src/routes/kserve.ts";
import { operationRoutes } from "../src/routes/operations.ts";

const root = join(import.meta.dirname, "../../..");
const folder = join(root, "deploy/serving");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

// The fields of the Kubernetes API that are used here, with their types; a field that is not listed is a mistake.
const quantity = z.string().regex(/^\d+(\.\d+)?(m|k|Ki|Mi|Gi|M|G)?$/);
const name = z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
const labels = z.record(z.string(), z.string());
const port = z.union([z.number().int().min(1).max(65_535), name]);
const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string().startsWith("/"), port }),
  periodSeconds: z.number().int().positive().optional(),
  failureThreshold: z.number().int().positive().optional(),
});
const container = z.strictObject({
  name,
  image: z.string().min(1),
  args: z.array(z.string()),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })).optional(),
  ports: z.array(
    z.strictObject({ name: name.max(15), containerPort: z.number().int(), protocol: z.literal("TCP").optional() }),
  ),
  securityContext: z.strictObject({
    runAsNonRoot: z.literal(true).optional(),
    runAsUser: z.number().int().positive().optional(),
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal("ALL")]) }),
  }),
  resources: z.strictObject({
    requests: z.strictObject({ cpu: quantity, memory: quantity }),
    limits: z.strictObject({ memory: quantity }),
  }),
  startupProbe: probe.optional(),
  readinessProbe: probe,
  livenessProbe: probe,
  volumeMounts: z.array(
    z.strictObject({ name, mountPath: z.string().startsWith("/"), readOnly: z.boolean().optional() }),
  ),
});
const volume = z.union([
  z.strictObject({ name, persistentVolumeClaim: z.strictObject({ claimName: name, readOnly: z.boolean() }) }),
  z.strictObject({ name, secret: z.strictObject({ secretName: name }) }),
  z.strictObject({ name, emptyDir: z.strictObject({}) }),
]);
const meta = z.strictObject({ name, labels: labels.optional(), annotations: labels.optional() });
const selector = z.strictObject({ matchLabels: labels });
const KINDS: Readonly<Record<string, z.ZodType>> = {
  Deployment: z.strictObject({
    apiVersion: z.literal("apps/v1"),
    kind: z.string(),
    metadata: meta,
    spec: z.strictObject({
      replicas: z.number().int().positive(),
      selector,
      strategy: z.strictObject({ rollingUpdate: z.strictObject({ maxUnavailable: z.number(), maxSurge: z.number() }) }),
      template: z.strictObject({
        metadata: meta.omit({ name: true }),
        spec: z.strictObject({
          terminationGracePeriodSeconds: z.number().int(),
          automountServiceAccountToken: z.literal(false),
          securityContext: z.strictObject({
            runAsNonRoot: z.literal(true),
            runAsUser: z.number().int().positive(),
            runAsGroup: z.number().int().positive(),
            fsGroup: z.number().int().positive(),
            seccompProfile: z.strictObject({ type: z.literal("RuntimeDefault") }),
          }),
          containers: z.array(container).min(1),
          volumes: z.array(volume),
        }),
      }),
    }),
  }),
  Service: z.strictObject({
    apiVersion: z.literal("v1"),
    kind: z.string(),
    metadata: meta,
    spec: z.strictObject({ selector: labels, ports: z.array(z.strictObject({ name, port, targetPort: port })) }),
  }),
  PodDisruptionBudget: z.strictObject({
    apiVersion: z.literal("policy/v1"),
    kind: z.string(),
    metadata: meta,
    spec: z.strictObject({ maxUnavailable: z.number().int(), selector }),
  }),
  HorizontalPodAutoscaler: z.strictObject({
    apiVersion: z.literal("autoscaling/v2"),
    kind: z.string(),
    metadata: meta,
    spec: z.strictObject({
      scaleTargetRef: z.strictObject({ apiVersion: z.string(), kind: z.string(), name }),
      minReplicas: z.number().int().positive(),
      maxReplicas: z.number().int().positive(),
      metrics: z.array(
        z.strictObject({
          type: z.literal("Pods"),
          pods: z.strictObject({
            metric: z.strictObject({ name: z.string() }),
            target: z.strictObject({ type: z.literal("AverageValue"), averageValue: quantity }),
          }),
        }),
      ),
      behavior: z.record(
        z.enum(["scaleUp", "scaleDown"]),
        z.strictObject({
          stabilizationWindowSeconds: z.number().int().min(0).max(3600),
          policies: z
            .array(z.strictObject({ type: z.enum(["Percent", "Pods"]), value: z.number(), periodSeconds: z.number() }))
            .optional(),
        }),
      ),
    }),
  }),
  NetworkPolicy: z.strictObject({
    apiVersion: z.literal("networking.k8s.io/v1"),
    kind: z.string(),
    metadata: meta,
    spec: z.strictObject({
      podSelector: selector,
      policyTypes: z.array(z.enum(["Ingress", "Egress"])),
      ingress: z.array(z.strictObject({ ports: z.array(z.strictObject({ port, protocol: z.literal("TCP") })) })),
      egress: z.array(z.unknown()).length(0),
    }),
  }),
  InferenceService: z.strictObject({
    apiVersion: z.literal("serving.kserve.io/v1beta1"),
    kind: z.string(),
    metadata: meta,
    spec: z.strictObject({
      predictor: z.strictObject({
        minReplicas: z.number().int(),
        maxReplicas: z.number().int(),
        scaleMetric: z.enum(["cpu", "memory", "concurrency", "rps"]),
        scaleTarget: z.number().int(),
        containers: z.array(container).length(1),
        volumes: z.array(volume),
      }),
    }),
  }),
};

interface Doc {
  kind: string;
  metadata: { name: string };
  // Checked by the schemas above.
  // oxlint-disable-next-line typescript/no-explicit-any
  spec: any;
}
const routes = new Set([...operationRoutes, ...kserveRoutes].map((r) => r.path));

describe.each(["kubernetes.yaml", "kserve.yaml"])("%s", (file) => {
  const documents = parseAllDocuments(read(file)).map((d) => d.toJS() as Doc);

  test.each(documents.map((d) => [d.kind, d] as const))(
    "%s has the fields of its kind and no others",
    (kind, document) => {
      expect(KINDS[kind]?.safeParse(document).error?.issues ?? []).toEqual([]);
      expect(Object.keys(KINDS)).toContain(kind);
    },
  );

  test("probes ask routes that there are; mounts name volumes that there are; options are the command's", async () => {
    const serve = (await import("../../trainer/src/commands/serve.ts")).default as { args: Record<string, unknown> };
    const pods = documents.flatMap((d) => d.spec.template?.spec ?? d.spec.predictor ?? []);
    expect(pods).toHaveLength(1);
    for (const pod of pods)
      for (const c of pod.containers as z.output<typeof container>[]) {
        for (const p of [c.startupProbe, c.readinessProbe, c.livenessProbe])
          if (p) expect(routes).toContain(p.httpGet.path);
        const volumes = (pod.volumes as { name: string }[]).map((v) => v.name);
        for (const m of c.volumeMounts) expect(volumes).toContain(m.name);
        for (const a of c.args.filter((x) => x.startsWith("--"))) expect(Object.keys(serve.args)).toContain(a.slice(2));
      }
  });
});

test("the autoscaler's metric is one that the server gives, and its target is the deployment", async () => {
  const documents = parseAllDocuments(read("kubernetes.yaml")).map((d) => d.toJS() as Doc);
  const scaler = documents.find((d) => d.kind === "HorizontalPodAutoscaler")?.spec;
  const idle = { queued: 0, running: 0, ready: 0, processes: [], draining: false };
  const text = await createMetrics(
    () => idle,
    () => 0,
  ).text();
  for (const m of scaler.metrics) expect(text).toContain(`# TYPE ${m.pods.metric.name} gauge`);
  expect(documents.find((d) => d.kind === scaler.scaleTargetRef.kind)?.metadata.name).toBe(scaler.scaleTargetRef.name);
});

describe("the image", () => {
  let compose: { services: Record<string, Record<string, unknown>> };
  beforeAll(() => {
    compose = parse(read("compose.yaml")) as typeof compose;
  });

  test("Compose: read-only, no root, no privileges, time to drain, files that there are", () => {
    const service = compose.services["emosllm"] as Record<string, unknown>;
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      user: "10001:10001",
    });
    expect(Number.parseInt(service["stop_grace_period"] as string, 10)).toBeGreaterThan(30);
    expect((service["ports"] as string[]).every((p) => p.startsWith("127.0.0.1:"))).toBe(true);
    expect(
      readFileSync(join(folder, "../..", (service["build"] as { dockerfile: string }).dockerfile), "utf8"),
    ).toContain("FROM ");
  });

  test("Dockerfile: every instruction is one; runs without root; starts the command that there is", () => {
    const lines = read("Dockerfile")
      .replace(/\\\n/g, " ")
      .split("\n")
      .filter((l) => l.trim() !== "" && !l.startsWith("#"));
    for (const line of lines)
      expect(line).toMatch(/^(FROM|WORKDIR|COPY|ENV|RUN|USER|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD) /);
    const last = (word: string): string => lines.findLast((l) => l.startsWith(word)) ?? "";
    expect(last("USER")).toBe("USER 10001:10001");
    const entry = JSON.parse(last("ENTRYPOINT").slice("ENTRYPOINT ".length)) as string[];
    const { bin } = JSON.parse(readFileSync(join(root, "apps/trainer/package.json"), "utf8")) as {
      bin: { emosllm: string };
    };
    expect(entry).toContain(bin.emosllm.replace("./", ""));
    expect(entry).toContain("serve");
    const pinned = /pnpm@[\d.]+/.exec(readFileSync(join(root, "tools/setup/run.mjs"), "utf8"))?.[0];
    for (const used of read("Dockerfile").match(/pnpm@[\d.]+/g) ?? []) expect(used).toBe(pinned);
  });
});
