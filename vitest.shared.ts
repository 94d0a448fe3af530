import { defineConfig } from "vitest/config";

// Packages see each other's sources through the scoped condition, so no test needs a build.
const conditions = ["@emosllm/source", "module", "node", "development|production"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
