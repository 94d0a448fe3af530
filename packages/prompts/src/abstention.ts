/** @file Answering only when sure enough: the confidence from which answers are right as often as wanted. */
import { EmosllmError } from "@emosllm/interfaces";
import { wilsonInterval } from "./intervals.ts";

/** The threshold of {@link abstentionThreshold}, and what it does on the rows it was chosen on. */
export interface AbstentionThreshold {
  /** Answer where the confidence is at least this; `Infinity` where no threshold reaches the target. */
  readonly threshold: number;
  /** Share of rows answered. */
  readonly coverage: number;
  /** Accuracy over the rows answered; `null` where none is. */
  readonly accuracy: number | null;
  readonly answered: number;
}

/**
 * The lowest confidence from which answers are right often enough: the most rows answered at the target accuracy.
 *
 * @param confidence each row's highest probability
 * @param correct whether each row's answer was right
 * @param options.target accuracy wanted over the rows answered, in (0, 1]
 * @param options.z take the lower end of the Wilson interval of z standard deviations for the accuracy, so that the target also holds
 * beyond these rows (1.645: one-sided 95 %). Default 0, the accuracy itself.
 */
export function abstentionThreshold(
  confidence: readonly number[],
  correct: readonly boolean[],
  { target, z = 0 }: { readonly target: number; readonly z?: number },
): AbstentionThreshold {
  if (!(target > 0 && target <= 1))
    throw new EmosllmError("usage", `the target accuracy is ${target}; expected above 0 and at most 1`);
  if (confidence.length !== correct.length)
    throw new EmosllmError("runtime_failed", `${confidence.length} confidences for ${correct.length} answers`);
  const bad = confidence.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new EmosllmError("runtime_failed", `the confidence of row ${bad} is ${confidence[bad]}`);
  const order = confidence.map((_, i) => i).sort((a, b) => (confidence[b] ?? 0) - (confidence[a] ?? 0));
  let best: AbstentionThreshold = { threshold: Infinity, coverage: 0, accuracy: null, answered: 0 };
  let right = 0;
  order.forEach((row, i) => {
    right += Number(correct[row]);
    const answered = i + 1;
    // Rows of equal confidence are answered together or not at all.
    if (confidence[order[answered] ?? -1] === confidence[row]) return;
    if (wilsonInterval(right, answered, z).low < target) return;
    const threshold = confidence[row] ?? Infinity;
    best = { threshold, coverage: answered / order.length, accuracy: right / answered, answered };
  });
  return best;
}
