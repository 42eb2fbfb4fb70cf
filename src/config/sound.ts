/**
 * A value that the checks have made sure of.
 * @throws TypeError where it is missing all the same: a defect of theirs, not of the configuration
 */
export function sound<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError("a variable that was found sound has no value");
  return value;
}
