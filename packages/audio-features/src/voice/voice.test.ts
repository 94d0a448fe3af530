import { expect, test } from "vitest";
import { binVoice, fitVoiceBins, parseVoiceBins, type BinClip } from "./bins.ts";
import { describeVoice, VOICE_STYLES } from "./describe.ts";
import { measureVoice, syllablesOfText, type VoiceMeasures } from "./measures.ts";
import { countSyllableNuclei } from "./syllables.ts";
import { VOICE_LANGUAGES } from "./templates.ts";

const RATE = 16000;

/** Bursts of a harmonic tone: `n` syllables of 150 ms with 100 ms between them. */
function syllables(n: number, hz: number, amplitude: number): Float32Array {
  return new Float32Array(Math.round(n * 0.25 * RATE)).map((_, i) => {
    const at = (i / RATE) % 0.25;
    if (at > 0.15) return 0;
    let x = 0;
    for (let h = 1; h <= 12; h++) x += Math.sin((2 * Math.PI * h * hz * i) / RATE) / h;
    return amplitude * x * Math.sin((Math.PI * at) / 0.15);
  });
}

const measures = (value: number): VoiceMeasures => ({
  duration: value,
  loudness: value,
  pitchLevel: 100 + value,
  pitchVariation: value,
  pitchRange: value,
  rate: value,
  pauses: value,
  jitter: value,
  shimmer: value,
  harmonicity: -value,
  brightness: value,
});

const clips: BinClip[] = Array.from({ length: 101 }, (_, i) => ({
  measures: measures(i),
  gender: i % 2 === 0 ? "female" : "male",
  speaker: i < 95 ? "a" : "b",
}));

test("pitch, rate and loudness of tones", () => {
  const low = measureVoice(syllables(8, 110, 0.1), RATE);
  const high = measureVoice(syllables(8, 220, 0.3), RATE);
  expect(low.pitchLevel).toBeCloseTo(110, 0);
  expect(high.pitchLevel).toBeCloseTo(220, 0);
  expect(high.loudness!).toBeGreaterThan(low.loudness!);
  expect(low.pitchVariation!).toBeLessThan(0.5);
  expect(low.duration).toBe(2);
});

test("syllable nuclei are counted, with and without a transcript", () => {
  for (const n of [3, 8, 14]) {
    const level = Array.from({ length: 25 * n }, (_, t) => -20 - 15 * Math.cos((2 * Math.PI * t) / 25));
    expect(countSyllableNuclei(level, new Float32Array(25 * n).fill(120))).toBe(n);
    expect(countSyllableNuclei(level, new Float32Array(25 * n))).toBe(0);
  }
  expect(syllablesOfText("Tomorrow we will see.")).toBe(6);
  expect(syllablesOfText("")).toBe(0);
});

test("pauses between speech are measured, silence around it is not", () => {
  const clip = new Float32Array(3 * RATE);
  const talk = syllables(4, 150, 0.3);
  clip.set(talk, 0.5 * RATE);
  clip.set(talk, 1.9 * RATE);
  expect(measureVoice(clip, RATE).pauses!).toBeCloseTo(0.5 / 2.3, 1);
});

test("what is not reliable is null: silence, a very short clip", () => {
  const silent = measureVoice(new Float32Array(RATE), RATE);
  expect(silent).toMatchObject({ loudness: null, pitchLevel: null, rate: null, jitter: null, duration: 1 });
  const short = measureVoice(syllables(1, 150, 0.3), RATE);
  expect(short).toMatchObject({ rate: null, pauses: null });
});

test("edges are quantiles of each group; small groups fall back to all clips", () => {
  const bins = fitVoiceBins(clips, { by: "gender" });
  expect(bins.groups["overall"]!.edges.loudness).toEqual([10, 30, 70, 90]);
  expect(bins.groups["gender:male"]!.edges.loudness![0]).toBeCloseTo(10.8, 10);
  expect(binVoice(measures(50), bins, { gender: "male" })).toMatchObject({ group: "gender:male", levels: { rate: 2 } });
  expect(binVoice(measures(95), bins, { gender: "other" })).toMatchObject({ group: "overall", levels: { rate: 4 } });
  const bySpeaker = fitVoiceBins(clips, { by: "speaker" });
  expect(Object.keys(bySpeaker.groups)).toEqual(["overall", "speaker:a"]);
  expect(() => fitVoiceBins(clips.slice(0, 9))).toThrow("at least 10 clips, there are 9");
});

test("bins survive their file, and a broken file is refused with its place", () => {
  const bins = fitVoiceBins(clips, { by: "gender" });
  expect(parseVoiceBins(JSON.stringify(bins), "bins.json")).toEqual(bins);
  expect(() => parseVoiceBins("{", "bins.json")).toThrow("bins.json: not JSON");
  expect(() => parseVoiceBins("{}", "bins.json")).toThrow("not a file of voice bins");
  const broken = structuredClone(bins) as { groups: Record<string, { edges: Record<string, unknown> }> };
  broken.groups["overall"]!.edges["rate"] = [3, 2, 1, 0];
  expect(() => parseVoiceBins(JSON.stringify(broken), "b.json")).toThrow("groups.overall.edges.rate is not 4 rising");
});

test("the words", () => {
  const bins = fitVoiceBins(clips);
  const loud = { ...measures(50), loudness: 95, pitchLevel: 120, rate: null };
  expect(describeVoice(loud, bins).text).toMatchInlineSnapshot(
    `"The voice is very loud. The pitch is low. The pitch variation is normal. The pitch range is normal. There are some pauses. The voice quality is normal. The timbre is neutral."`,
  );
  expect(describeVoice(loud, bins)).toMatchObject({ omitted: ["rate"], group: "overall" });
  expect(describeVoice(loud, bins, { style: "marked" }).text).toBe("The voice is very loud. The pitch is low.");
  expect(describeVoice(loud, bins, { style: "compact", language: "fr", measures: ["loudness", "pauses"] }).text).toBe(
    "On entend une voix très forte et quelques pauses.",
  );
  expect(describeVoice(loud, bins, { style: "tags", language: "de", measures: ["pitchLevel"] }).text).toBe(
    "Tonhöhe: tief",
  );
  expect(() => describeVoice(loud, bins, { language: "tlh" })).toThrow("language tlh is not one of en, de, fr");
});

test("every style speaks every language, also when there is nothing to say", () => {
  const bins = fitVoiceBins(clips);
  const nothing = Object.fromEntries(Object.keys(measures(0)).map((k) => [k, null])) as unknown as VoiceMeasures;
  for (const language of Object.keys(VOICE_LANGUAGES))
    for (const style of VOICE_STYLES) {
      for (const value of [5, 50, 99]) {
        const { text } = describeVoice(measures(value), bins, { language, style });
        expect(text).not.toMatch(/\{\}|undefined/);
      }
      expect(describeVoice(nothing, bins, { language, style }).text).toBe(VOICE_LANGUAGES[language]!.nothing);
    }
});
