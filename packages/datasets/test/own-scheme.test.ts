import { describe, expect, test } from "vitest";
import { emotionScheme, mapLabel } from "../src/index.ts";

describe("labels of one's own", () => {
  const turn = (label: string) => ({ id: "a", corpus: "own", audio: { path: "a.wav" }, label });

  test("a list of labels: each stands for itself, all else is left out", () => {
    const scheme = emotionScheme(["calm", "stressed"]);
    expect(scheme).toEqual({ name: "own:calm+stressed", labels: ["calm", "stressed"], mapping: {} });
    expect(mapLabel(turn("stressed"), scheme)?.label).toBe("stressed");
    expect(mapLabel(turn("Stressed"), scheme)).toBeUndefined();
    expect(mapLabel(turn("toString"), scheme)).toBeUndefined();
  });

  test("codes with the label of each: several codes may share one", () => {
    const scheme = emotionScheme({ c: "calm", s: "stressed", t: "stressed" });
    expect(scheme.labels).toEqual(["calm", "stressed"]);
    expect(mapLabel(turn("t"), scheme)?.label).toBe("stressed");
    expect(mapLabel(turn("calm"), scheme)?.label).toBe("calm");
  });

  test.each([
    [["calm"], "at least two labels"],
    [{ a: "calm", b: "calm" }, "at least two labels"],
    [["calm", " "], "words without spaces around them"],
    [["calm", "calm", "sad"], "'calm' stands twice"],
    ["iemocap-7", /no scheme "iemocap-7"; there are iemocap-4, .*or a list of labels of your own/],
  ])("%j is refused", (choice, message) => {
    expect(() => emotionScheme(choice as string)).toThrow(message);
  });
});
