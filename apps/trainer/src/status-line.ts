/** @file One line that renews itself in a terminal; nothing where there is none, or in CI. */

/** See {@link statusLine}. */
export interface StatusLine {
  show(text: string): void;
  /** Takes the line away. */
  clear(): void;
}

/** A line on stderr. */
export function statusLine(stream: NodeJS.WriteStream = process.stderr): StatusLine {
  if (stream.isTTY !== true || process.env["CI"]) return { show: () => {}, clear: () => {} };
  return {
    show: (text) => void stream.write(`\r\u001b[2K${text.slice(0, (stream.columns ?? 100) - 1)}`),
    clear: () => void stream.write("\r\u001b[2K"),
  };
}
