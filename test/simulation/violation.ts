/** A property of the protocol did not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly property: string;

  /** @param property name of the property, as docs/simulation.md lists it */
  constructor(property: string, message: string) {
    super(message);
    this.property = property;
  }
}
