/** @file Bundles a script for browsers. The packages' `browser` fields leave empty what they import of Node.js, so no plugin is needed. */
import { build } from "esbuild";

/** A bundled script. */
export interface PageBundle {
  readonly code: Uint8Array;
  /** The source files that are in it. */
  readonly inputs: readonly string[];
}

/** Bundles the script at `entry`; nothing is written. */
export async function bundleForPage(entry: string, conditions: readonly string[] = []): Promise<PageBundle> {
  const { outputFiles, metafile } = await build({
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
  const [script] = Object.values(metafile.outputs);
  return {
    code: outputFiles[0]?.contents ?? new Uint8Array(),
    inputs: Object.entries(script?.inputs ?? {}).flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [file] : [],
    ),
  };
}
