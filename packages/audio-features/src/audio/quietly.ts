/** @file Keeps third-party decoders from printing: they report errors in their result and to the console, and libraries never print. */

/** Runs `work` (synchronous, so that nobody else's message is lost) with `console.error` silent. */
export function quietly<T>(work: () => T): T {
  const print = console.error;
  console.error = () => {};
  try {
    return work();
  } finally {
    console.error = print;
  }
}
