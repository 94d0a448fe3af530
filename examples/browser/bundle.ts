/** @file Bundles a script for browsers. The packages' `browser` fields leave empty what they import of Node.js, so no plugin is needed. */
import { type BuildResult, build } from "esbuild";

/** The bundled script, not written. */
export const bundleForPage = (
  entry: string,
  conditions: readonly string[] = [],
): Promise<BuildResult<{ write: false; metafile: true }>> =>
  build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: [...conditions],
    outdir: "out",
    logLevel: "error",
    // That a file reader is undefined in a page, once for each place.
    logOverride: { "import-is-undefined": "silent" },
  });
