import { expect, test } from "vitest";
import { compileChatTemplate, formatDate } from "./chat-template.ts";

/** From Python: datetime(2024, 2, 9).strftime(...). */
test.each([
  ["%d %b %Y", "09 Feb 2024"],
  ["%d %B %Y", "09 February 2024"],
  ["%Y-%m-%d", "2024-02-09"],
  ["%A, %e %h %y", "Friday,  9 Feb 24"],
  ["%H:%M:%S %I %p", "00:00:00 12 AM"],
  ["100%%", "100%"],
  ["%-d/%-m", "9/2"],
  ["%a", "Fri"],
  ["%F", "2024-02-09"],
])("strftime %s", (format, expected) => {
  expect(formatDate("2024-02-09", format)).toBe(expected);
});

test("the date is the one that is given, or a fixed one, never today", () => {
  const render = compileChatTemplate("{{ strftime_now('%d %b %Y') }}", {});
  expect(render([])).toBe("26 Jul 2024");
  expect(render([], { date: "2026-01-31" })).toBe("31 Jan 2026");
  for (const date of ["2026-02-30", "today", "2026-1-1"])
    expect(() => render([], { date })).toThrow(`date '${date}' is not a day`);
});

test("strip takes the characters it is given, as in Python", () => {
  const render = compileChatTemplate(
    "{{ ' \n\nx\n '.strip('\n') }}|{{ '\n x'.lstrip('\n') }}|{{ 'xay'.strip('xy') }}|{{ ' a '.strip() }}|{{ 'aa'.rstrip('a') }}",
    {},
  );
  expect(render([])).toBe(" \n\nx\n | x|a|a|");
});

test("what a template refuses is said in its own words", () => {
  const render = compileChatTemplate("{{ raise_exception('roles must alternate') }}", {});
  expect(() => render([{ role: "user", content: "x" }])).toThrow(
    "the chat template refuses a conversation of user: roles must alternate",
  );
});
