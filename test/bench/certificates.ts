import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** A CA of a week, and a certificate of it for localhost (ECDSA P-256, as most public servers have). */
export function createCertificates(openssl: string, folder: string): Certificates {
  const file = (name: string): string => join(folder, name);
  const run = (command: string): void => {
    execFileSync(openssl, command.split(" "), { stdio: ["ignore", "ignore", "pipe"], cwd: folder });
  };
  const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  writeFileSync(
    file("leaf.cnf"),
    "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n",
  );
  run(`req -x509 ${newKey} -days 7 -subj /CN=benchmark-ca -keyout ca.key -out ca.pem`);
  run(`req ${newKey} -subj /CN=localhost -keyout leaf.key -out leaf.csr`);
  run(
    "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 -extfile leaf.cnf -out leaf.pem",
  );
  return { ca: file("ca.pem"), certificate: file("leaf.pem"), key: file("leaf.key") };
}
