/**
 * @file Dynamic loss scaling (Micikevicius et al. 2018, as torch.amp.GradScaler does it): the loss is multiplied before its gradient is taken, so that
 * small gradients are not lost in 16-bit floats, and the gradients are divided again before the update. Gradients that are not finite are not
 * applied and lower the scale; a run of finite ones raises it.
 */
import type { TensorStore } from "./parameters.ts";

/** Options with torch.amp.GradScaler's defaults. */
export interface LossScaling {
  /** The first scale. Default 65536. */
  readonly initial?: number;
  /** What the scale is multiplied by after `growthInterval` finite steps in a row. Default 2. */
  readonly growthFactor?: number;
  /** And by after one that was not. Default 0.5. */
  readonly backoffFactor?: number;
  /** Default 2000. */
  readonly growthInterval?: number;
}

/** State that a trainer with loss scaling has beside the optimiser's: 0 before the first step. */
export const SCALE_STATE: Readonly<Record<string, readonly number[]>> = {
  loss_scale: [],
  "loss_scale.finite_steps": [],
};

/** The scale, kept in the trainer's state, so that checkpoints have it. */
export interface LossScale {
  /** The present scale; 1 without loss scaling. */
  readonly value: () => number;
  /** Hears whether the gradients were finite. */
  readonly taken: (finite: boolean) => void;
}

/** Throws RangeError for options that could not work. */
export function lossScale(state: TensorStore, options: LossScaling | undefined): LossScale {
  if (!options) return { value: () => 1, taken: () => {} };
  const { initial = 65536, growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000 } = options;
  if (!(initial > 0) || !(growthFactor >= 1) || !(backoffFactor > 0 && backoffFactor < 1) || !(growthInterval >= 1))
    throw new RangeError(
      `loss scaling needs initial > 0, growthFactor >= 1, 0 < backoffFactor < 1, growthInterval >= 1, not ${JSON.stringify({ initial, growthFactor, backoffFactor, growthInterval })}`,
    );
  const [scale, steps] = [state.tensors["loss_scale"]!.data, state.tensors["loss_scale.finite_steps"]!.data];
  const value = (): number => scale[0] || initial;
  return {
    value,
    taken(finite) {
      const before = value();
      steps[0] = finite ? (steps[0] as number) + 1 : 0;
      scale[0] = finite ? before : before * backoffFactor;
      if (finite && (steps[0] as number) >= growthInterval) {
        scale[0] = before * growthFactor;
        steps[0] = 0;
      }
    },
  };
}
