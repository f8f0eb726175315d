// Numbers as the tables of the command have them: three significant digits, two where
// they are below 0.1, thousands set apart.

export function number(x: number): string {
  if (Math.abs(x) < 1e-9) {
    return "0";
  }
  const magnitude = Math.floor(Math.log10(Math.abs(x)));
  let decimals = 2 - magnitude;
  if (magnitude < -1) {
    decimals--;
  }
  const [whole = "", fraction] = Math.abs(x)
    .toFixed(Math.min(Math.max(decimals, 0), 100))
    .split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (x < 0 ? "−" : "") + grouped + (fraction === undefined ? "" : "." + fraction);
}

// millis is a time, in the unit that suits it.
export function millis(ms: number): string {
  const size = Math.abs(ms);
  if (size >= 60_000) {
    return number(ms / 60_000) + " min";
  }
  if (size >= 1000) {
    return number(ms / 1000) + " s";
  }
  if (size > 0 && size < 1) {
    return number(ms * 1000) + " µs";
  }
  return number(ms) + " ms";
}

// series is 1, 2, 5, 10, ... between two bounds, and the values given.
export function series(from: number, to: number, ...more: number[]): number[] {
  const all = new Set(more);
  for (let e = Math.floor(Math.log10(from)); e <= Math.ceil(Math.log10(to)); e++) {
    for (const m of [1, 2, 5]) {
      const x = Number(`${m}e${e}`);
      if (x >= from && x <= to) {
        all.add(x);
      }
    }
  }
  return [...all].sort((a, b) => a - b);
}

// logTick reports whether a split of a logarithmic axis has its number.
export function logTick(x: number): boolean {
  return Math.abs(Math.log10(x) - Math.round(Math.log10(x))) < 1e-9;
}
