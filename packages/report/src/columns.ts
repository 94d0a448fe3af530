/** @file Columns that grow while a file is read: numbers in typed arrays, names as small integers. A million rows stay a few bytes each. */

/** A growing list of numbers in one typed array. */
export class NumberColumn<A extends Int32Array | Float64Array> {
  #values: A;
  length = 0;
  readonly #create: (size: number) => A;

  constructor(create: (size: number) => A) {
    this.#create = create;
    this.#values = create(1024);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = this.#create(this.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  at(row: number): number {
    return this.#values[row]!;
  }

  /** The values so far, without a copy. */
  values(): A {
    return this.#values.subarray(0, this.length) as A;
  }
}

/** A column of integers. */
export const integers = (): NumberColumn<Int32Array> => new NumberColumn((size) => new Int32Array(size));
/** A column of numbers. */
export const floats = (): NumberColumn<Float64Array> => new NumberColumn((size) => new Float64Array(size));

/** Names as integers, in order of first occurrence. */
export interface Names {
  readonly list: string[];
  /** The integer of a name, new if needed. */
  id(name: string): number;
}

/** An empty {@link Names}. */
export function names(): Names {
  const list: string[] = [];
  const ids = new Map<string, number>();
  return {
    list,
    id(name) {
      let id = ids.get(name);
      if (id === undefined) {
        id = list.length;
        list.push(name);
        ids.set(name, id);
      }
      return id;
    },
  };
}

/** Rows of numbers under named columns that are discovered on the way; a name that a row lacks is 0. */
export class NamedRows {
  readonly labels: Names = names();
  rows = 0;
  #width = 0;
  #values = new Float64Array(0);

  push(row: Readonly<Record<string, number>>): void {
    for (const label in row) this.labels.id(label);
    if (this.labels.list.length > this.#width) this.#widen(this.labels.list.length);
    const start = this.rows * this.#width;
    if (start + this.#width > this.#values.length) {
      const larger = new Float64Array(Math.max(1024, this.#values.length * 2));
      larger.set(this.#values);
      this.#values = larger;
    }
    for (const label in row) this.#values[start + this.labels.id(label)] = row[label]!;
    this.rows++;
  }

  /** `[rows][labels.list.length]`, without a copy. */
  values(): Float64Array {
    return this.#values.subarray(0, this.rows * this.#width);
  }

  /** A new name moves all rows; there are few names. */
  #widen(width: number): void {
    const moved = new Float64Array(Math.max(1024, this.rows + 1) * width);
    for (let row = 0; row < this.rows; row++)
      moved.set(this.#values.subarray(row * this.#width, (row + 1) * this.#width), row * width);
    this.#values = moved;
    this.#width = width;
  }
}
