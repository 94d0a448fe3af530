/** @file Orders of training examples by epoch: shuffled, class-balanced, from easy to hard. The same seed and epoch give the same order. */
import { EmosllmError, type Utterance } from "@emosllm/interfaces";
import { seededRandom, shuffled } from "./random.ts";

/** Gives the indices of one epoch (from 0). Stateless: an interrupted run goes on with the same order. */
export type Sampler = (epoch: number) => number[];

export interface SamplerOptions {
  /** Default 0. */
  seed?: number;
}

const randomOf = (seed: number, epoch: number): (() => number) => seededRandom(seed * 2_654_435 + epoch * 40_503 + 1);

/** Every example once, in a new order each epoch. */
export function shuffleSampler(count: number, options: SamplerOptions = {}): Sampler {
  const { seed = 0 } = options;
  return (epoch) =>
    shuffled(
      Array.from({ length: count }, (_, i) => i),
      randomOf(seed, epoch),
    );
}

export interface BalancedSamplerOptions extends SamplerOptions {
  /** Examples per epoch. Default: as many as there are. */
  size?: number;
  /** 0 keeps the corpus' shares, 1 makes all classes equal, between is between (shares to the power 1 - strength). Default 1. */
  strength?: number;
}

/**
 * Classes in equal (or partly evened) numbers. Within a class every example comes once before any comes again, also across the
 * border of a round, so that rare classes repeat evenly and common ones are thinned without favourites.
 * @throws EmosllmError `config_invalid` for no labels or a strength outside 0 to 1.
 */
export function balancedSampler(labels: readonly string[], options: BalancedSamplerOptions = {}): Sampler {
  const { seed = 0, size = labels.length, strength = 1 } = options;
  if (labels.length === 0) throw new EmosllmError("config_invalid", "balanced sampler: no examples");
  if (!(strength >= 0 && strength <= 1))
    throw new EmosllmError("config_invalid", `balanced sampler: strength ${strength} is not between 0 and 1`);
  const byLabel = new Map<string, number[]>();
  for (const [i, label] of labels.entries()) {
    const known = byLabel.get(label);
    if (known) known.push(i);
    else byLabel.set(label, [i]);
  }
  const names = [...byLabel.keys()].sort();
  const shares = names.map((n) => (byLabel.get(n) as number[]).length ** (1 - strength));
  const quotas = quotasOf(shares, size);
  return (epoch) => {
    const random = randomOf(seed, epoch);
    const out = names.flatMap((name, c) => {
      const members = byLabel.get(name) as number[];
      const drawn: number[] = [];
      while (drawn.length < (quotas[c] as number))
        drawn.push(...shuffled(members, random).slice(0, (quotas[c] as number) - drawn.length));
      return drawn;
    });
    return shuffled(out, random);
  };
}

/** Whole numbers in the given proportion that sum to `size` (largest remainders). */
function quotasOf(shares: readonly number[], size: number): number[] {
  const total = shares.reduce((a, b) => a + b, 0);
  const exact = shares.map((s) => (s / total) * size);
  const out = exact.map(Math.floor);
  const order = exact.map((e, i) => [e - Math.floor(e), i] as const).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  for (let k = 0, left = size - out.reduce((a, b) => a + b, 0); k < left; k++) {
    const i = (order[k] as readonly [number, number])[1];
    out[i] = (out[i] as number) + 1;
  }
  return out;
}

export interface CurriculumSamplerOptions extends SamplerOptions {
  /** Epochs until all examples are in. Default 5. */
  epochs?: number;
  /** Share of the easiest in the first epoch. Default 0.3. */
  start?: number;
}

/**
 * Begins with the easiest share and takes in harder examples evenly from epoch to epoch (the square-root pace of Platanios et
 * al. 2019), each epoch in a new order. Difficulties are any numbers, smaller is easier; see {@link raterDisagreement}.
 * @throws EmosllmError `config_invalid` for a difficulty that is no number or a start outside 0 to 1.
 */
export function curriculumSampler(difficulties: readonly number[], options: CurriculumSamplerOptions = {}): Sampler {
  const { seed = 0, epochs = 5, start = 0.3 } = options;
  const bad = difficulties.findIndex((d) => Number.isNaN(d));
  if (bad >= 0) throw new EmosllmError("config_invalid", `curriculum sampler: difficulty ${bad} is not a number`);
  if (!(start > 0 && start <= 1))
    throw new EmosllmError("config_invalid", `curriculum sampler: start ${start} is not in (0, 1]`);
  const order = difficulties
    .map((_, i) => i)
    .sort((a, b) => (difficulties[a] as number) - (difficulties[b] as number) || a - b);
  return (epoch) => {
    const progress = epochs <= 1 ? 1 : Math.min(1, epoch / (epochs - 1));
    const share = Math.sqrt(start ** 2 + (1 - start ** 2) * progress);
    return shuffled(order.slice(0, Math.ceil(share * order.length)), randomOf(seed, epoch));
  };
}

/** Entropy of the raters' shares in bits: 0 when they agree. Utterances without shares count as `unknown`, default 0.5. */
export function raterDisagreement(utterance: Utterance, unknown = 0.5): number {
  const { softLabel } = utterance;
  if (!softLabel) return unknown;
  return Object.values(softLabel).reduce((sum, p) => (p > 0 ? sum - p * Math.log2(p) : sum), 0);
}
