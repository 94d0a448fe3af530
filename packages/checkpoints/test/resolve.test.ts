import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openCheckpoint, readTensor, resolveModel, type DownloadProgress, type ResolveOptions } from "../src/index.ts";
import { described, fixture, temporaryFolder } from "./helpers.ts";
import { COMMIT, gitHash, lfsHash, startHub, text, type Hub, type HubFile } from "./hub-server.ts";

// Whatever this machine has of its own must not reach the tests.
beforeEach(() => {
  for (const name of [
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
  ])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", temporaryFolder());
});
afterEach(() => vi.unstubAllEnvs());

const shards = [1, 2].map((i) => `model-0000${i}-of-00002.safetensors`);
function tinyModel(): Record<string, HubFile> {
  const read = (name: string): Buffer => readFileSync(fixture(join("sharded", name)));
  return {
    "README.md": { content: text("# tiny") },
    "config.json": { content: text('{"model_type":"llama"}') },
    "empty.json": { content: Buffer.alloc(0) },
    "model.safetensors.index.json": { content: read("model.safetensors.index.json") },
    ...Object.fromEntries(shards.map((n) => [n, { content: read(n), lfs: true }])),
    "onnx/model.onnx": { content: text("onnx"), lfs: true },
    "original/params.json": { content: text("{}") },
    "pytorch_model.bin": { content: text("not wanted beside safetensors"), lfs: true },
    "tokenizer.json": { content: text("{}") },
  };
}
const cacheOf = (): string => join(process.env["HF_HOME"]!, "hub");
const repository = (): string => join(cacheOf(), "models--org--tiny");

test("a local folder comes first", async () => {
  expect(await resolveModel(fixture("sharded"))).toEqual({ folder: fixture("sharded"), from: "folder" });
});

test("a model is downloaded once, laid out as the Python library lays it out, and then found in the cache", async () => {
  const hub = await startHub(tinyModel());
  const events: DownloadProgress[] = [];
  const options: ResolveOptions = { endpoint: hub.url, token: "hf_test", onProgress: (e) => events.push(e) };
  const { folder, from, revision } = await resolveModel("org/tiny", options);
  expect({ from, revision }).toEqual({ from: "download", revision: COMMIT });
  expect(folder).toBe(join(repository(), "snapshots", COMMIT));
  const names = ["config.json", "empty.json", "model.safetensors.index.json", ...shards, "tokenizer.json"];
  expect(readdirSync(folder).sort()).toEqual(names.toSorted());
  expect(readFileSync(join(repository(), "refs", "main"), "utf8")).toBe(COMMIT);
  for (const name of names) {
    const { content, lfs } = hub.files[name]!;
    expect(readlinkSync(join(folder, name))).toBe(join("..", "..", "blobs", lfs ? lfsHash(content) : gitHash(content)));
    expect(readFileSync(join(folder, name)).equals(content)).toBe(true);
  }
  expect(readdirSync(join(repository(), "blobs")).every((n) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(n))).toBe(true);
  const { tensors } = await openCheckpoint(folder);
  expect([...(await readTensor(tensors.get("layers.3.weight")!, "f32"))]).toEqual(
    described("sharded")["layers.3.weight"]!.f32,
  );

  expect(
    events
      .filter((e) => e.status === "done")
      .map((e) => e.file)
      .sort(),
  ).toEqual(names.toSorted());
  expect(events.find((e) => e.file === shards[0] && e.status === "initiate")).toMatchObject({ loaded: 0 });
  // The token goes to the hub, and not to the host that it sends large files to.
  const direct = hub.requests.filter((r) => !r.path.startsWith("/cdn/"));
  expect(new Set(direct.map((r) => r.authorization))).toEqual(new Set(["Bearer hf_test"]));
  expect(hub.requests.filter((r) => r.path.startsWith("/cdn/") && r.authorization)).toEqual([]);

  const before = hub.requests.length;
  expect(await resolveModel("org/tiny", options)).toEqual({ folder, from: "cache", revision: COMMIT });
  expect(await resolveModel("org/tiny", { ...options, revision: COMMIT })).toMatchObject({ from: "cache" });
  vi.stubEnv("HF_HUB_OFFLINE", "yes");
  expect(await resolveModel("org/tiny")).toMatchObject({ from: "cache" });
  expect(hub.requests.length).toBe(before);
});

test("more files on request, other weights on request, none on request", async () => {
  const hub = await startHub(tinyModel());
  vi.stubEnv("HF_ENDPOINT", `${hub.url}/`);
  const { folder } = await resolveModel("org/tiny", { weights: "none", also: (p) => p.startsWith("onnx/") });
  expect(readdirSync(folder).sort()).toEqual(["config.json", "empty.json", "onnx", "tokenizer.json"]);
  expect(readFileSync(join(folder, "onnx", "model.onnx"), "utf8")).toBe("onnx");
  await resolveModel("org/tiny", { weights: "bin" });
  expect(existsSync(join(folder, "pytorch_model.bin"))).toBe(true);
  expect(existsSync(join(folder, shards[0]!))).toBe(false);
  // The snapshot is there, but not what is asked for: the rest is added to it.
  expect(await resolveModel("org/tiny", { weights: "safetensors" })).toMatchObject({ from: "download", folder });
  expect(existsSync(join(folder, shards[1]!))).toBe(true);
});

const large = (): { content: Buffer; lfs: true } => ({
  content: Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >> 3)),
  lfs: true,
});

/** A model whose only weights are one large .bin, so that its transfer can be watched. */
async function largeHub(): Promise<Hub> {
  return startHub({ "config.json": { content: text("{}") }, "pytorch_model.bin": large() });
}
const bodies = (hub: Hub): (string | undefined)[] =>
  hub.requests.filter((r) => r.path.startsWith("/cdn/") && r.range !== "bytes=0-0").map((r) => r.range);

test("a connection that breaks off is continued where it stopped, and a busy server asked again", async () => {
  const hub = await largeHub();
  hub.cuts.push(1_000_000, 500_000);
  hub.failures.push(503);
  const { folder } = await resolveModel("org/tiny", { endpoint: hub.url });
  const { content } = hub.files["pytorch_model.bin"]!;
  expect(readFileSync(join(folder, "pytorch_model.bin")).equals(content)).toBe(true);
  const [refused, first, second, third] = bodies(hub);
  expect([refused, first]).toEqual([undefined, undefined]);
  const start = (range: string | undefined): number => Number(/^bytes=(\d+)-2999999$/.exec(range ?? "")?.[1]);
  expect(start(second)).toBeGreaterThan(0);
  expect(start(second)).toBeLessThanOrEqual(1_000_000);
  expect(start(third)).toBeGreaterThan(start(second));
});

test("what an earlier process left is continued, and thrown away when it was wrong", async () => {
  for (const good of [true, false]) {
    vi.stubEnv("HF_HOME", temporaryFolder());
    const hub = await largeHub();
    const { content } = hub.files["pytorch_model.bin"]!;
    const blobs = join(repository(), "blobs");
    mkdirSync(blobs, { recursive: true });
    const left = Buffer.from(content.subarray(0, 2_000_000));
    if (!good) left[5]! ^= 1;
    writeFileSync(join(blobs, `${lfsHash(content)}.emosllm.incomplete`), left);
    const events: DownloadProgress[] = [];
    const { folder } = await resolveModel("org/tiny", { endpoint: hub.url, onProgress: (e) => events.push(e) });
    expect(readFileSync(join(folder, "pytorch_model.bin")).equals(content)).toBe(true);
    expect(bodies(hub)).toEqual(good ? ["bytes=2000000-2999999"] : ["bytes=2000000-2999999", undefined]);
    expect(events.find((e) => e.status === "initiate" && e.file.endsWith(".bin"))!.loaded).toBe(2_000_000);
  }
});

test("content with another checksum is refused and not kept", async () => {
  const hub = await largeHub();
  hub.wrong = Buffer.alloc(3_000_000, 1);
  await expect(resolveModel("org/tiny", { endpoint: hub.url })).rejects.toMatchObject({
    code: "checkpoint_invalid",
    message: expect.stringMatching(
      /^'org\/tiny': pytorch_model\.bin: the download has the checksum [0-9a-f]{64} instead of [0-9a-f]{64}; it was thrown away$/,
    ) as string,
  });
  const { content } = hub.files["config.json"]!;
  expect(readdirSync(join(repository(), "blobs"))).toEqual([gitHash(content)]);
  expect(existsSync(join(repository(), "refs"))).toBe(false);
});

test("a server that ignores ranges is noticed", async () => {
  const hub = await largeHub();
  hub.cuts.push(1_000_000);
  hub.ignoresRanges = true;
  await expect(resolveModel("org/tiny", { endpoint: hub.url })).rejects.toThrow("does not serve parts of files");
});

test("two at once download once", async () => {
  const hub = await largeHub();
  const both = await Promise.all([1, 2].map(() => resolveModel("org/tiny", { endpoint: hub.url })));
  expect(both[0]).toEqual(both[1]);
  expect(bodies(hub).length).toBe(1);
});

test("an aborted download leaves no file under its name, and is continued later", async () => {
  const hub = await largeHub();
  hub.cuts.push(1_000_000);
  const control = new AbortController();
  const aborted = resolveModel("org/tiny", { endpoint: hub.url, signal: control.signal });
  setTimeout(() => control.abort(new Error("enough")), 300);
  await expect(aborted).rejects.toThrow();
  expect(existsSync(join(repository(), "snapshots", COMMIT, "pytorch_model.bin"))).toBe(false);
  await resolveModel("org/tiny", { endpoint: hub.url });
  expect(bodies(hub).at(-1)).toMatch(/^bytes=[1-9]\d*-2999999$/);
});

test.each([
  [
    403,
    "GatedRepo",
    undefined,
    /'org\/tiny' is gated: open http:\/\/127\.0\.0\.1:\d+\/org\/tiny, log in and accept its conditions.* set HF_TOKEN to it \(no token is in use\) \(HTTP 403\)$/,
  ],
  [401, "GatedRepo", undefined, /'org\/tiny' is gated/],
  [403, "GatedRepo", "hf_old", /\(the token in use has no access yet\)/],
  [
    401,
    "RepoNotFound",
    undefined,
    /there is no model 'org\/tiny' at http.*, or it is private \(no token is in use; set HF_TOKEN/,
  ],
  [404, "RepoNotFound", "hf_x", /or it is private \(the token in use may not see it\)/],
  [404, "RevisionNotFound", undefined, /'org\/tiny' has no revision 'main'/],
  [401, undefined, undefined, /or it is private/],
])("HTTP %s %s says what to do", async (status, code, token, message) => {
  const hub = await startHub(tinyModel());
  hub.refuse = code === undefined ? { status } : { status, code };
  const failed = resolveModel("org/tiny", { endpoint: hub.url, token });
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.toMatchObject({ code: "checkpoint_not_found", details: { status } });
  expect(hub.requests.length).toBe(1);
});

test("what was looked for, and where, is said", async () => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  await expect(resolveModel("org/tiny")).rejects.toThrow(
    `model 'org/tiny': there is no folder ${join(process.cwd(), "org", "tiny")}; the Hugging Face cache has no snapshot of revision 'main' in ${repository()}; HF_HUB_OFFLINE is set, so nothing was downloaded`,
  );
  await expect(resolveModel("./org/tiny")).rejects.toThrow(
    /there is no folder .*tiny; it is no name of a model on the hub either \(ORG\/NAME\)$/,
  );
  await expect(resolveModel("org/tiny", { revision: "../../x" })).rejects.toThrow("'../../x' is no name of a revision");
  await expect(resolveModel(fixture("expected.json"))).rejects.toThrow("expected.json is not a folder");
  await expect(
    resolveModel("org/tiny", { offline: false, endpoint: "http://127.0.0.1:9", signal: AbortSignal.timeout(100) }),
  ).rejects.toThrow();
});

test("a snapshot with a missing shard, or a link whose blob is gone, is not complete", async () => {
  vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
  const snapshot = join(process.env["HF_HUB_CACHE"]!, "models--org--tiny", "snapshots", COMMIT);
  mkdirSync(join(snapshot, "..", "..", "refs", "refs", "pr"), { recursive: true });
  writeFileSync(join(snapshot, "..", "..", "refs", "refs", "pr", "1"), COMMIT);
  cpSync(fixture("sharded"), snapshot, { recursive: true });
  const find = (): Promise<unknown> => resolveModel("org/tiny", { revision: "refs/pr/1", offline: true });
  await expect(find()).rejects.toThrow("lacks config.json; HF_HUB_OFFLINE");
  writeFileSync(join(snapshot, "config.json"), "{}");
  expect(await find()).toEqual({ folder: snapshot, from: "cache", revision: COMMIT });
  rmSync(join(snapshot, shards[1]!));
  await expect(find()).rejects.toThrow(`lacks ${shards[1]}`);
  symlinkSync("../../blobs/gone", join(snapshot, shards[1]!));
  expect(lstatSync(join(snapshot, shards[1]!)).isSymbolicLink()).toBe(true);
  await expect(find()).rejects.toThrow(`lacks ${shards[1]}`);
  rmSync(join(snapshot, "model.safetensors.index.json"));
  await expect(find()).rejects.toThrow("lacks weights (model.safetensors, model.safetensors.index.json,");
});

test("a listing whose names leave the folder is refused", async () => {
  for (const path of ["../x.json", "a/../../x.json", "a\\..\\x.json", "C:x.json"]) {
    const hub = await startHub({ ...tinyModel(), [path]: { content: text("x") } });
    await expect(resolveModel("org/tiny", { endpoint: hub.url, also: () => true })).rejects.toThrow(
      "whose name leaves its folder",
    );
  }
});

test("a token that is none of the hub's is refused without a request", async () => {
  const hub = await startHub(tinyModel());
  vi.stubEnv("HF_TOKEN", "secret");
  await expect(resolveModel("org/tiny", { endpoint: hub.url })).rejects.toMatchObject({
    code: "usage",
    message: "the access token (HF_TOKEN) must begin with 'hf_'",
  });
  expect(hub.requests).toEqual([]);
});
