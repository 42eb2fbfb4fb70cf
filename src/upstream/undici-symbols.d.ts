// undici has no types for its inner parts.
declare module "undici/lib/core/symbols.js" {
  const symbols: {
    /** Key of a dispatch option: a function that is given what takes a request out of the queue, while it waits there. */
    readonly kQueuedAbort: unique symbol;
  };
  // oxlint-disable-next-line house/no-default-export -- it is how a CommonJS module is imported
  export default symbols;
}
