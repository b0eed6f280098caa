import { DistinctValues } from './distinct.ts';
import { type ColumnType, columnType, type Kind, kindOf } from './kind.ts';
import { NumberSeries, type NumberSummary } from './numbers.ts';

const TOP_VALUES = 5;
const SHOWN_LENGTH = 80;

export interface ColumnProfile extends Partial<NumberSummary> {
  name: string;
  type: ColumnType;
  missing: number;
  distinct: number;
  /** False where `distinct` is an estimate, within about 2 %. */
  distinctExact: boolean;
  /** First and last day of a column of dates. */
  from?: string;
  to?: string;
  topValues: { value: string; count: number }[];
}

/** One column as it passes by; what it remembers is bounded. */
export class Column {
  readonly name: string;
  missing = 0;
  readonly #kinds = new Set<Kind>();
  readonly #numbers = new NumberSeries();
  readonly #values: DistinctValues;
  #from: string | undefined;
  #to: string | undefined;

  constructor(name: string, distinctLimit: number) {
    this.name = name.length > SHOWN_LENGTH ? `${name.slice(0, SHOWN_LENGTH)}…` : name;
    this.#values = new DistinctValues(distinctLimit);
  }

  get type(): ColumnType {
    return columnType(this.#kinds);
  }

  add(cell: string): void {
    const kind = kindOf(cell);
    this.#kinds.add(kind);
    // Two long values with the same beginning stay apart by their length; that is as far as telling them apart goes.
    this.#values.add(cell.length > SHOWN_LENGTH ? `${cell.slice(0, SHOWN_LENGTH)}… (${cell.length})` : cell);
    if (kind === 'integer' || kind === 'number') this.#numbers.add(Number(cell));
    if (kind === 'date') this.#addDate(cell);
  }

  profile(): ColumnProfile {
    const { type } = this;
    return {
      name: this.name,
      type,
      missing: this.missing,
      distinct: this.#values.size,
      distinctExact: this.#values.exact,
      ...((type === 'integer' || type === 'number') && this.#numbers.summary()),
      ...(type === 'date' && this.#from !== undefined && { from: this.#from, to: this.#to }),
      topValues: this.#values.top(TOP_VALUES),
    };
  }

  #addDate(cell: string): void {
    const day = cell.slice(0, 10);
    if (this.#from === undefined || day < this.#from) this.#from = day;
    if (this.#to === undefined || day > this.#to) this.#to = day;
  }
}
