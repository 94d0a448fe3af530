import type { SubCommandsDef } from "citty";

/** A command whatever its arguments, as the tables of sub-commands take it. */
export type AnyCommand = Exclude<SubCommandsDef[string], Promise<unknown> | (() => unknown)>;
