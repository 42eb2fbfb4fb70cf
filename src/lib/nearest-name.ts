/** One letter in three may be wrong, and never more than three. */
const lettersPerMistake = 3;
const mostMistakes = 3;

/** How many mistakes a name may have that was typed by hand and is still meant for another. */
function fewMistakes(typed: string): number {
  return Math.min(Math.floor(typed.length / lettersPerMistake), mostMistakes);
}

/**
 * The name that was probably meant: the first of those with the fewest mistakes.
 * @param mistakes how many there may be; Infinity gives the nearest name, however far
 * @returns undefined if none is near
 */
export function nearestName<T extends string>(
  typed: string,
  names: readonly T[],
  mistakes: number = fewMistakes(typed),
): T | undefined {
  let best: T | undefined;
  let fewest = mistakes;
  for (const name of names) {
    // Nothing that long is near a name; and a pasted secret must not cost a square of its length.
    if (Math.abs(typed.length - name.length) > fewest) continue;
    // The wrong letter case is no mistake in any letter.
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase());
    if (best === undefined ? distance <= fewest : distance < fewest) {
      best = name;
      fewest = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance: letters added, left out, changed, or swapped with their neighbour. */
function editDistance(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      );
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, other.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
