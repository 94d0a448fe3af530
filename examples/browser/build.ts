/** @file `tsx build.ts BUNDLE OUT`: writes the site of a trained bundle. */
import { writeSite } from "./site.ts";

const [bundle, out] = process.argv.slice(2);
if (!bundle || !out)
  throw new Error("Usage: npm start -- BUNDLE OUT (a trained bundle such as runs/demo/best, a folder to write)");
await writeSite(bundle, out);
process.stdout.write(`Serve ${out} (for example: python3 -m http.server --directory ${out}) and open it.\n`);
