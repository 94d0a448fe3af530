#!/usr/bin/env node
/** @file `emosllm-check-device DEVICE...`: whether each device is set up here; exit code 1 when one is not. */
import { readFileSync } from "node:fs";
import { checkDevice } from "../check-device.ts";
import { DEVICES, type Device } from "../program.ts";

const USAGE = `usage: emosllm-check-device DEVICE...\ndevices: ${DEVICES.join(", ")}\n`;
const asked = process.argv.slice(2);
if (asked[0] === "--version") {
  const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  process.stdout.write(`${own.version}\n`);
} else if (asked[0] === "--help") process.stdout.write(USAGE);
else if (asked.length === 0 || asked.some((d) => !DEVICES.includes(d as Device))) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else
  for (const device of asked as Device[])
    try {
      const { difference, ok, gflops } = await checkDevice(device);
      process.stdout.write(
        `${device}: ${ok ? "ok" : "WRONG"}, a training step differs from the CPU's by ${difference.toExponential(1)}, products run at ${gflops.toFixed(0)} Gflop/s\n`,
      );
      if (!ok) process.exitCode = 1;
    } catch (error) {
      process.stdout.write(`${device}: ${(error as Error).message}\n`);
      process.exitCode = 1;
    }
