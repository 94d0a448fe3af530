import * as fc from "fast-check";
import { expect, test } from "vitest";
import { conditionName, modalityReliance, PROBE_CONDITIONS, probeInputs, type ProbeUtterance } from "../src/index.ts";

const utterances = (labels: readonly string[]): ProbeUtterance[] =>
  labels.map((label, i) => ({
    id: `u${i}`,
    label,
    transcript: `words ${i}`,
    voice: i % 4 === 3 ? undefined : `voice ${i}`,
  }));
const some = utterances(["angry", "happy", "sad", "neutral", "angry", "happy", "sad", "neutral", "neutral", "sad"]);

test("thirteen conditions, each with a name", () => {
  expect(PROBE_CONDITIONS.map(conditionName)).toEqual([
    "all",
    ...["only", "without", "shuffled", "swapped"].flatMap((k) =>
      ["audio", "transcript", "voice"].map((m) => `${k} ${m}`),
    ),
  ]);
});

test("inputs that are alone, or missing", () => {
  expect(probeInputs(some, { kind: "all" })[1]).toEqual({
    id: "u1",
    label: "happy",
    audio: "u1",
    transcript: "words 1",
    voice: "voice 1",
  });
  expect(probeInputs(some, { kind: "only", modality: "voice" })[1]).toEqual({
    id: "u1",
    label: "happy",
    audio: null,
    transcript: undefined,
    voice: "voice 1",
  });
  expect(probeInputs(some, { kind: "without", modality: "audio" })[1]).toEqual({
    id: "u1",
    label: "happy",
    audio: null,
    transcript: "words 1",
    voice: "voice 1",
  });
  expect(probeInputs(some, { kind: "only", modality: "voice" }).map((i) => i.id)).not.toContain("u3");
});

test("swapped inputs come from a conflicting label, each once, and nothing else changes", () => {
  const labels = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });
  fc.assert(
    fc.property(labels, fc.constantFrom("audio", "transcript", "voice"), fc.nat(), (names, modality, seed) => {
      const all = utterances(names);
      const inputs = probeInputs(all, { kind: "swapped", modality }, seed);
      const having = all.filter((u) => modality !== "voice" || u.voice !== undefined);
      const largest = Math.max(0, ...having.map((u) => having.filter((v) => v.label === u.label).length));
      // With no label beyond half, everyone finds a partner.
      const pairs = 2 * Math.min(largest, having.length - largest) + Math.max(0, having.length - 2 * largest);
      expect(inputs.length).toBe(largest * 2 <= having.length ? having.length : pairs);
      expect(new Set(inputs.map((i) => i.donor?.id)).size).toBe(inputs.length);
      for (const input of inputs) {
        const own = all.find((u) => u.id === input.id);
        const donor = all.find((u) => u.id === input.donor?.id);
        expect(donor?.label).not.toBe(own?.label);
        expect(input.audio).toBe(modality === "audio" ? donor?.id : own?.id);
        expect(input.transcript).toBe(modality === "transcript" ? donor?.transcript : own?.transcript);
        expect(input.voice).toBe(modality === "voice" ? donor?.voice : own?.voice);
      }
      expect(probeInputs(all, { kind: "swapped", modality }, seed)).toEqual(inputs);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("shuffled inputs come from somebody else", () => {
  const inputs = probeInputs(some, { kind: "shuffled", modality: "transcript" }, 4);
  expect(inputs).toHaveLength(some.length);
  for (const { id, donor } of inputs) expect(donor?.id).not.toBe(id);
  expect(new Set(inputs.map((i) => i.donor?.id)).size).toBe(some.length);
  expect(probeInputs(some.slice(0, 1), { kind: "shuffled", modality: "audio" })).toEqual([]);
});

test("a model that hears, one that reads, and one that does neither", () => {
  const inputs = probeInputs(some, { kind: "swapped", modality: "audio" }, 1);
  const answers = (answer: (i: (typeof inputs)[number]) => string | null) =>
    new Map(inputs.map((i) => [i.id, answer(i)]));
  expect(
    modalityReliance(
      "audio",
      inputs,
      answers((i) => i.donor?.label ?? null),
    ),
  ).toMatchObject({ followsSwapped: 10, followsRest: 0, neither: 0, share: { estimate: 1, high: 1 } });
  expect(
    modalityReliance(
      "audio",
      inputs,
      answers((i) => i.label),
    ),
  ).toMatchObject({ followsSwapped: 0, followsRest: 10, share: { estimate: 0, low: 0 } });
  expect(
    modalityReliance(
      "audio",
      inputs,
      answers(() => null),
    ),
  ).toMatchObject({ neither: 10, share: null });
  // Wilson's interval of 3 in 10, from statsmodels' proportion_confint(3, 10, method="wilson").
  const three = modalityReliance(
    "audio",
    inputs,
    answers((i) => (Number(i.id.slice(1)) < 3 ? (i.donor?.label ?? null) : i.label)),
  );
  expect(three.share?.low).toBeCloseTo(0.10779126740630102, 12);
  expect(three.share?.high).toBeCloseTo(0.6032218525388546, 12);
  expect(() => modalityReliance("audio", inputs, new Map())).toThrow("input 'u0' has no answer");
  expect(() => modalityReliance("audio", probeInputs(some, { kind: "all" }), new Map())).toThrow("no donor");
  expect(() => probeInputs([...some, ...some], { kind: "all" })).toThrow("20 utterances have only 10 different ids");
});
