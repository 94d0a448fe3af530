/** @file HTML text: everything that comes from data is escaped. */

/** Text that is already HTML. */
export interface Html {
  readonly html: string;
}

/** Marks text as HTML: only for what this package wrote itself. */
export const raw = (html: string): Html => ({ html });

type Part = Html | string | number | null | undefined | false | readonly Part[];

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for elements and quoted attributes. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => ESCAPES[c]!);

const render = (part: Part): string => {
  if (part === null || part === undefined || part === false) return "";
  if (typeof part === "object") return "html" in part ? part.html : part.map(render).join("");
  return escape(String(part));
};

/** Template tag: the literal parts are HTML, the values are escaped unless they are {@link Html}. */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Html =>
  raw(strings.map((s, i) => s + (i < parts.length ? render(parts[i]) : "")).join(""));
