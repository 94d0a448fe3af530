/** @file What studies of a model found, as they stand in `sensitivity.json` and `probe.json`, and a page of them alone. */
import { studySections } from "./page/studies.ts";
import { html } from "./page/html.ts";
import { wholePage } from "./page/whole.ts";

/** Unweighted average recall with its 95 % interval. */
export interface UaWithInterval {
  readonly ua: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** Corpus, bundle, split: whatever says what was asked. */
type About = Readonly<Record<string, unknown>>;

/** `sensitivity.json`: one model, the same utterances, many ways of asking. */
export interface SensitivityStudy {
  readonly about: About;
  /** Each way of asking, with its level of each factor. */
  readonly runs: readonly ({
    readonly name: string;
    readonly factors: Readonly<Record<string, string>>;
  } & UaWithInterval)[];
  readonly mean: number;
  readonly worst: number;
  readonly best: number;
  readonly spread: number;
  readonly deviation: number | null;
  /** Mean share of equal answers over pairs of ways. */
  readonly agreement: number | null;
  /** Share of utterances that all ways answer alike. */
  readonly unanimous: number;
  /** Of the majority answer. */
  readonly majority: number;
  readonly factors: readonly {
    readonly factor: string;
    readonly levels: Readonly<Record<string, number>>;
    readonly range: number;
    /** Share of answers that change with this factor alone. */
    readonly changed: number | null;
  }[];
  readonly most_sensitive: string | null;
  /** Leaving a slot out of the bundle's own prompt: UA with and without, share of answers that change. */
  readonly slots: readonly {
    readonly slot: string;
    readonly with: number;
    readonly without: number;
    readonly changed: number;
  }[];
  readonly most_sensitive_slot: string | null;
}

/** `probe.json`: which input carries decisions, and what corruptions cost. */
export interface ProbeStudy {
  readonly about: About;
  /** `all`, `only audio`, `without transcript`, `shuffled audio`, `swapped audio`, ... */
  readonly conditions: readonly ({ readonly condition: string } & UaWithInterval)[];
  /** Whose label the answers follow when an input comes from an utterance of another label. */
  readonly reliance: readonly {
    readonly modality: string;
    readonly follows_swapped: number;
    readonly follows_rest: number;
    readonly neither: number;
    readonly share: { readonly estimate: number; readonly low: number; readonly high: number } | null;
  }[];
  /** The first row is clean (`none`); `severity` null: the corruption has one only. */
  readonly corruptions: readonly ({
    readonly corruption: string;
    readonly severity: number | null;
    readonly unit: string;
    readonly measured_wer?: number;
  } & UaWithInterval)[];
}

/** Studies of one model. */
export interface Studies {
  readonly sensitivity?: SensitivityStudy | undefined;
  readonly probe?: ProbeStudy | undefined;
}

/** A self-contained page of studies. */
export function renderStudies(title: string, studies: Studies): string {
  const about = (studies.sensitivity ?? studies.probe)?.about ?? {};
  const text = ["corpus", "utterances"].flatMap((k) => (about[k] === undefined ? [] : [`${k} ${String(about[k])}`]));
  return wholePage(title, text.join(", "), html`<div class="grid">${studySections(studies)}</div>`);
}
