/** @file One line of a CSV file. */

/** Cells with commas, quotes or line ends in quotes (RFC 4180); no line end. */
export const csvLine = (cells: readonly string[]): string =>
  cells.map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",");
