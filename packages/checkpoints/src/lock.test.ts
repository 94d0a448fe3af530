import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "./lock.ts";

let file = "";
beforeEach(() => (file = join(mkdtempSync(join(tmpdir(), "emosllm-lock-")), "x.lock")));
afterEach(() => rmSync(join(file, ".."), { recursive: true, force: true }));

const times = { touch: 20, stale: 200, poll: 10 };
const nothing = async (): Promise<undefined> => undefined;

test("work is done one at a time, and the lock is gone afterwards", async () => {
  let inside = 0;
  let most = 0;
  const work = async (): Promise<number> => {
    most = Math.max(most, ++inside);
    await sleep(30);
    return inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(file, nothing, work, undefined, times)));
  expect(most).toBe(1);
  expect(existsSync(file)).toBe(false);
});

test("a waiter takes what another has made", async () => {
  let made: string | undefined;
  const done = async (): Promise<string | undefined> => made;
  const first = withLock(file, done, async () => {
    await sleep(50);
    return (made = "first");
  });
  const second = withLock(file, done, async () => "second", undefined, times);
  expect([await first, await second]).toEqual(["first", "first"]);
});

test("a lock that its holder touches is never taken over; one that nobody touches is", async () => {
  let finished = false;
  const held = withLock(
    file,
    nothing,
    async () => {
      await sleep(600);
      finished = true;
    },
    undefined,
    times,
  );
  await sleep(20);
  expect(await withLock(file, nothing, async () => finished, undefined, times)).toBe(true);
  await held;

  writeFileSync(file, "a process that was killed");
  // A clock that is wrong by an hour does not matter.
  utimesSync(file, new Date(Date.now() + 3.6e6), new Date(Date.now() + 3.6e6));
  const start = performance.now();
  expect(await withLock(file, nothing, async () => readFileSync(file, "utf8"), undefined, times)).not.toContain(
    "killed",
  );
  expect(performance.now() - start).toBeGreaterThan(150);
});

test("the lock goes when the work fails, and a wait can be aborted", async () => {
  const fail = async (): Promise<never> => Promise.reject(new Error("broken"));
  await expect(withLock(file, nothing, fail, undefined, times)).rejects.toThrow("broken");
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, "held");
  const waiting = withLock(file, nothing, async () => 1, AbortSignal.timeout(50), { ...times, stale: 1e6 });
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  expect(readFileSync(file, "utf8")).toBe("held");
});
