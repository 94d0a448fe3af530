/** @file Mixed traffic with hostile requests while model processes are killed; tells what went wrong and how memory and event loop fared. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hum, randoms } from "./bundle.ts";

/** Settings of {@link soak}. */
export interface SoakOptions {
  readonly folder: string;
  readonly seconds: number;
  readonly killEverySeconds: number;
  readonly clients?: number;
  readonly onSample?: ((sample: SoakSample) => void) | undefined;
}

/** The server's state at one time. */
export interface SoakSample {
  readonly seconds: number;
  /** MiB of the server and of its model processes. */
  readonly serverMib: number;
  readonly modelsMib: number;
  /** p99 of the event loop's delay since the last sample, milliseconds. */
  readonly loopP99Ms: number;
}

/** What came out. */
export interface SoakResult {
  readonly requests: number;
  readonly hostile: number;
  readonly kills: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Answers that differ from the same request's answer on a quiet server. */
  readonly wrong: readonly string[];
  /** Well-formed requests that got no answer at all. */
  readonly lost: readonly string[];
  readonly samples: readonly SoakSample[];
}

interface Ask {
  readonly name: string;
  readonly init: RequestInit;
  readonly path: string;
  /** What must be equal between two answers. */
  essence(body: unknown): string;
}

const rounded = (value: unknown): string =>
  JSON.stringify(value, (key, v: unknown) => (typeof v === "number" ? Math.round(v * 1e3) / 1e3 : v));

function asks(): Ask[] {
  const list: Ask[] = [];
  const emotions = (body: unknown): string => {
    const { label, emotions: e, segments } = body as Record<string, unknown>;
    return rounded({ label, e, segments });
  };
  for (const [i, seconds] of [0.5, 1, 2, 4, 4, 8].entries()) {
    const file = hum(seconds, i + 10) as Uint8Array<ArrayBuffer>;
    const form = (): FormData => {
      const made = new FormData();
      made.set("file", new Blob([file]), "a.wav");
      return made;
    };
    const audio = Buffer.from(file).toString("base64");
    const type = { "content-type": "application/json" };
    list.push(
      { name: `raw ${seconds} s`, path: "/v1/audio/emotions", init: { method: "POST", body: file }, essence: emotions },
      {
        name: `form ${seconds} s`,
        path: "/v1/audio/emotions?voice=none",
        init: { method: "POST", body: form() },
        essence: emotions,
      },
      {
        name: `json ${seconds} s`,
        path: "/v1/audio/emotions",
        init: { method: "POST", headers: type, body: JSON.stringify({ audio, transcript: `words ${i}` }) },
        essence: emotions,
      },
      {
        name: `infer ${seconds} s`,
        path: "/v2/models/demo/infer",
        init: {
          method: "POST",
          headers: type,
          body: JSON.stringify({ inputs: [{ name: "audio", datatype: "BYTES", shape: [1], data: [audio] }] }),
        },
        essence: (b) => rounded((b as { outputs: unknown }).outputs),
      },
    );
  }
  const long = hum(20, 3) as Uint8Array<ArrayBuffer>;
  list.push({
    name: "timeline",
    path: "/v1/audio/emotions?timeline=true",
    init: { method: "POST", body: long },
    essence: emotions,
  });
  list.push({ name: "models", path: "/v1/models", init: {}, essence: (b) => rounded(b) });
  return list;
}

const HEAD = "POST /v1/audio/emotions HTTP/1.1\r\nhost: localhost\r\ncontent-type: audio/wav\r\n";
const WAV = hum(1);

/** Requests that nobody should send; none of them needs an answer. */
const HOSTILE: readonly ((url: URL) => Promise<void>)[] = [
  (url) => raw(url, [`${HEAD}content-length: ${WAV.length}\r\n\r\n`, WAV.slice(0, 9000)], 50, false),
  (url) => raw(url, [`${HEAD}content-length: 99999999999\r\n\r\n`, WAV], 500, false),
  (url) => raw(url, [`${HEAD}content-length: ${WAV.length}\r\n\r\n`, WAV], 0, true),
  (url) => raw(url, ["GET / HT"], 3000, false),
  (url) => raw(url, [`${HEAD}transfer-encoding: chunked\r\n\r\nzzzz\r\n`], 200, false),
  (url) => raw(url, [Uint8Array.from({ length: 500 }, (_, i) => (i * 7919) & 255)], 100, false),
  (url) => fetched(url, { body: new Uint8Array(5 * 2 ** 20) }),
  (url) => fetched(url, { body: "[".repeat(100_000), headers: { "content-type": "application/json" } }),
  (url) =>
    fetched(url, {
      body: new Uint8Array(20_000).fill(65),
      headers: { "content-type": "multipart/form-data; boundary=b" },
    }),
  (url) => fetched(url, { body: WAV.slice(0, 100) as Uint8Array<ArrayBuffer> }),
  (url) => fetched(url, { body: WAV as Uint8Array<ArrayBuffer>, signal: AbortSignal.timeout(5) }),
];

const fetched = (url: URL, init: RequestInit): Promise<void> =>
  fetch(new URL("/v1/audio/emotions", url), { method: "POST", ...init }).then(
    async (r) => void (await r.arrayBuffer()),
    () => undefined,
  );

/** Bytes over a bare socket, which is then held, and dropped (or, `half`, closed on this side only). */
function raw(url: URL, parts: readonly (string | Uint8Array)[], holdMs: number, half: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true }, () => {
      for (const part of parts) socket.write(part);
      if (half) socket.end();
      setTimeout(() => socket.destroy(), half ? 2000 : holdMs);
    });
    socket.on("data", () => undefined).on("end", () => socket.destroy());
    socket.on("error", () => socket.destroy()).on("close", () => resolve());
  });
}

const children = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
const mib = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0; // it has just been killed
  }
};

/** Starts a server of its own (Linux: it reads /proc), loads it, and stops it. */
export async function soak({
  folder,
  seconds,
  killEverySeconds,
  clients = 6,
  onSample,
}: SoakOptions): Promise<SoakResult> {
  const server = spawn(
    process.execPath,
    ["--conditions=@emosllm/source", "--import=tsx", join(import.meta.dirname, "soak-server.ts"), folder],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NODE_OPTIONS: "" } },
  );
  try {
    const url = await addressOf(server);
    return await traffic(server.pid as number, url, { seconds, killEverySeconds, clients, onSample });
  } finally {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  }
}

const addressOf = (server: ChildProcess): Promise<URL> =>
  new Promise((resolve, reject) => {
    server.stdout?.once("data", (text: Buffer) => resolve(new URL(String(text).trim())));
    server.once("exit", (code) => reject(new Error(`the server ended with exit code ${code}`)));
  });

type Traffic = Required<Pick<SoakOptions, "seconds" | "killEverySeconds" | "clients">> & Pick<SoakOptions, "onSample">;

async function traffic(
  pid: number,
  url: URL,
  { seconds, killEverySeconds, clients, onSample }: Traffic,
): Promise<SoakResult> {
  const list = asks();
  const expected = new Map<Ask, string>();
  for (const ask of list) {
    const response = await fetch(new URL(ask.path, url), ask.init);
    if (response.status !== 200)
      throw new Error(`${ask.name}: status ${response.status} on a quiet server: ${await response.text()}`);
    expected.set(ask, ask.essence(await response.json()));
  }
  const random = randoms(5);
  const statuses: Record<string, number> = {};
  const [wrong, lost, samples]: [string[], string[], SoakSample[]] = [[], [], []];
  let [requests, hostile, kills] = [0, 0, 0];
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;

  async function client(): Promise<void> {
    while (elapsed() < seconds) {
      if (random() > 0.9) {
        hostile++;
        // Slow ones are not waited for: a client of its own.
        void HOSTILE[Math.floor(((random() + 1) / 2) * HOSTILE.length)]?.(url);
        continue;
      }
      const ask = list[Math.floor(((random() + 1) / 2) * list.length)] as Ask;
      requests++;
      try {
        const response = await fetch(new URL(ask.path, url), ask.init);
        const body: unknown = await response.json();
        statuses[response.status] = (statuses[response.status] ?? 0) + 1;
        if (response.status === 200 && ask.essence(body) !== expected.get(ask))
          wrong.push(`${ask.name}: ${ask.essence(body).slice(0, 300)}`);
        if (response.status === 429) await sleep(200);
      } catch (error) {
        lost.push(`${ask.name}: ${String((error as Error).cause ?? error)}`);
      }
    }
  }
  async function killer(): Promise<void> {
    while (elapsed() + killEverySeconds < seconds) {
      await sleep(killEverySeconds * 1000);
      const [victim] = children(pid);
      if (victim === undefined) continue;
      process.kill(victim, "SIGKILL");
      kills++;
    }
  }
  async function watcher(): Promise<void> {
    while (elapsed() < seconds) {
      await sleep(Math.min(5000, (seconds * 1000) / 2));
      const text = await (await fetch(new URL("/metrics", url))).text();
      const sample: SoakSample = {
        seconds: Math.round(elapsed()),
        serverMib: Math.round(mib(pid)),
        modelsMib: Math.round(children(pid).reduce((sum, c) => sum + mib(c), 0)),
        loopP99Ms: 1000 * Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1] ?? Number.NaN),
      };
      samples.push(sample);
      onSample?.(sample);
    }
  }
  await Promise.all([killer(), watcher(), ...Array.from({ length: clients }, client)]);
  return { requests, hostile, kills, statuses, wrong, lost, samples };
}
