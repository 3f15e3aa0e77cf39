// Dates as values. The pure layers take the time of day from the host, never from the global clock; a date that a program
// sends is data like any other. All uses of the global are here, and none of them reads the clock.
// biome-ignore-all lint/style/noRestrictedGlobals: dates as data, see above

export type DateValue = Date;

export function isDate(value: unknown): value is Date {
  return value instanceof Date;
}

/** True for the prototype of plain dates, not of a subclass. */
export function isDatePrototype(prototype: unknown): boolean {
  return prototype === Date.prototype;
}

/** The date of that many milliseconds since 1970; NaN makes an invalid date. */
export function dateFrom(milliseconds: number): Date {
  return new Date(milliseconds);
}

/** ISO 8601 text in UTC, or undefined for an invalid date. */
export function dateText(date: Date): string | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
