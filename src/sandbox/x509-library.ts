import type * as X509 from "@peculiar/x509";

type X509Library = typeof X509;

let loading: Promise<X509Library> | undefined;

/**
 * Loads @peculiar/x509 the first time that a certificate is made: it costs about 0.2 s,
 * which no command but the sandbox and the demo should pay.
 */
export function loadX509(): Promise<X509Library> {
  loading ??= importX509();
  return loading;
}

/**
 * The library's dependency-injection part (tsyringe) refuses to load without the Reflect
 * metadata functions, which it then asks only for constructor parameters that none of the
 * library's classes has. "No metadata" is therefore the right answer to all it asks, and it
 * asks only while it loads: the functions are taken away again afterwards, so that no
 * other code in the process sees a changed global.
 */
async function importX509(): Promise<X509Library> {
  if ("getMetadata" in Reflect) return import("@peculiar/x509");
  const asked = ["getMetadata", "getOwnMetadata", "defineMetadata"];
  for (const name of asked) {
    Object.defineProperty(Reflect, name, { value: () => undefined, configurable: true });
  }
  try {
    return await import("@peculiar/x509");
  } finally {
    for (const name of asked) Reflect.deleteProperty(Reflect, name);
  }
}
