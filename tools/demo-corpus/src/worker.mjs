// Lets a worker thread start from TypeScript sources, whatever runs the main thread.
import { register } from "tsx/esm/api";

register();
await import("./worker.ts");
