/**
 * @file A lock file for work that is expensive twice but not wrong twice. The holder touches it every second; a waiter takes it over
 * when it has not been touched for fifteen (by the waiter's own clock, so that clocks of other machines do not matter).
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds: how often a holder touches its lock, after how long without a touch it is taken over, how often a waiter looks. */
export interface LockTimes {
  readonly touch: number;
  readonly stale: number;
  readonly poll: number;
}
const TIMES: LockTimes = { touch: 1000, stale: 15_000, poll: 100 };

/**
 * Runs `work` while holding `file` as a lock, or returns what `done` gives as soon as that is something.
 *
 * @param done asked before and during the wait: another process may finish the work meanwhile.
 */
export async function withLock<T>(
  file: string,
  done: () => Promise<T | undefined>,
  work: () => Promise<T>,
  signal?: AbortSignal,
  times: LockTimes = TIMES,
): Promise<T> {
  const token = `${hostname()} ${process.pid} ${randomBytes(8).toString("hex")}`;
  let seen = "";
  let since = performance.now();
  for (;;) {
    const finished = await done();
    if (finished !== undefined) return finished;
    if (await acquire(file, token)) break;
    const touched = await stat(file, { bigint: true }).then(
      (s) => `${s.ino}:${s.mtimeNs}`,
      () => "",
    );
    if (touched !== seen) {
      seen = touched;
      since = performance.now();
    } else if (performance.now() - since > times.stale) {
      // Its holder is gone. Two waiters may both get here and then both work: slower, not wrong.
      const aside = `${file}.${randomBytes(6).toString("hex")}.stale`;
      await rename(file, aside).catch(() => undefined);
      await rm(aside, { force: true });
      continue;
    }
    await sleep(times.poll, undefined, signal ? { signal } : {});
  }
  const touch = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, times.touch);
  touch.unref();
  try {
    return (await done()) ?? (await work());
  } finally {
    clearInterval(touch);
    const holder = await readFile(file, "utf8").catch(() => "");
    if (holder === token) await rm(file, { force: true });
  }
}

async function acquire(file: string, token: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    try {
      await handle.writeFile(token);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
