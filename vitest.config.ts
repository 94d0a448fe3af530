import { defineConfig } from "vitest/config";

export default defineConfig({
  // Vitest keeps one core for itself; it hardly uses it.
  test: { projects: ["packages/*", "apps/*", "tools/*/vitest.config.ts"], maxWorkers: "100%" },
});
