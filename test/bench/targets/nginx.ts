import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Target } from "../target.ts";
import { nginxHead } from "../upstream.ts";

/** nginx as the proxy: what C can do. */
export const nginx: Target = {
  name: "nginx",
  title: "nginx proxy_pass",
  prepare({ programs, ports, upstreamPort, certificates, token, folder }) {
    const file = join(folder, "nginx.conf");
    writeFileSync(
      file,
      `${nginxHead(folder)}
  upstream presto { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${ports[0]} backlog=1024;
    location / {
      proxy_pass https://presto;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost:${upstreamPort};
      proxy_set_header Authorization "Bearer ${token}";
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ${certificates.ca};
      proxy_ssl_server_name on; proxy_ssl_name localhost;
    }
  }
}
`,
    );
    return { command: { argv: [programs.nginx, "-c", file, "-p", folder] } };
  },
};
