// Names, as Kubernetes takes them: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/

/** A namespace: a label of RFC 1123. To be put into an expression. */
export const namespacePattern = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
/** A Pod, a Secret, a Lease: a subdomain of RFC 1123. */
export const namePattern = "[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?";
/** A key of a Secret. */
const keyPattern = "[-._a-zA-Z0-9]{1,253}";

/** Something in a namespace. */
export interface NamespacedName {
  readonly namespace: string;
  readonly name: string;
}

/** One key of a Secret. */
export interface SecretAddress extends NamespacedName {
  readonly key: string;
}

const namespaceForm = new RegExp(`^${namespacePattern}$`);
const nameForm = new RegExp(`^${namePattern}$`);
const address = new RegExp(`^kubernetes:(${namespacePattern})/(${namePattern})(?:\\?key=(${keyPattern}))?$`);

export function isNamespace(text: string): boolean {
  return namespaceForm.test(text);
}

export function isName(text: string): boolean {
  return nameForm.test(text);
}

/** `kubernetes:NAMESPACE/SECRET`, `kubernetes:NAMESPACE/SECRET?key=NAME`; undefined for any other text. */
export function parseSecretAddress(text: string): SecretAddress | undefined {
  const [, namespace, name, key = "record"] = address.exec(text) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name, key };
}

/** `kubernetes:NAMESPACE/NAME`; undefined for any other text. */
export function parseNamespacedName(text: string): NamespacedName | undefined {
  const [, namespace, name, key] = address.exec(text) ?? [];
  return namespace === undefined || name === undefined || key !== undefined ? undefined : { namespace, name };
}
