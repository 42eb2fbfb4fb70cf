import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Pattern;

/** Tops a wallet up through the sidecar. Usage: java TopUp.java [http://localhost:7380] */
public class TopUp {
  static final HttpClient client = HttpClient.newBuilder()
    .proxy(HttpClient.Builder.NO_PROXY) // whatever -Dhttp.proxyHost says
    .connectTimeout(Duration.ofSeconds(2))
    .build();

  /** Sends it, and the very same again while nothing reached Presto. Null: nobody knows what became of it. */
  static HttpResponse<String> send(String url, String body) throws InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(URI.create(url))
      .timeout(Duration.ofSeconds(25)) // longer than PRESTO_TIMEOUT
      .header("Content-Type", "application/json")
      .POST(HttpRequest.BodyPublishers.ofString(body))
      .build();
    for (int left = 5; ; left--) {
      HttpResponse<String> reply;
      try {
        reply = client.send(request, HttpResponse.BodyHandlers.ofString());
      } catch (IOException error) {
        return null;
      }
      boolean retryable = reply.body().contains("\"retryable\":true");
      if (!header(reply, "Presto-Outcome").equals("not-sent") || !retryable || left <= 1) return reply;
      Thread.sleep(1_000 * reply.headers().firstValueAsLong("Retry-After").orElse(1));
    }
  }

  static String header(HttpResponse<String> reply, String name) {
    return reply.headers().firstValue(name).orElse("");
  }

  /** What is known of the transaction: in a field beside Presto's answer, or in the sidecar's own document. */
  static Optional<String> told(HttpResponse<String> reply) {
    if (!header(reply, "Content-Type").equals("application/problem+json"))
      return reply.headers().firstValue("Presto-Transaction");
    return first("\"transaction\":\\{[^}]*\"status\":\"([^\"]+)\"", reply.body());
  }

  /** What became of a confirm: paid, refused, not-sent, or ask. */
  static String endOf(HttpResponse<String> reply) {
    if (reply == null) return "ask";
    String outcome = header(reply, "Presto-Outcome");
    Optional<String> told = told(reply);
    if (told.equals(Optional.of("completed"))) return "paid";
    int kind = reply.statusCode() / 100;
    if (outcome.equals("answered") && told.isEmpty() && kind == 2) return "paid";
    if (outcome.equals("answered") && told.isEmpty() && kind == 4) return "refused";
    return outcome.equals("not-sent") && reply.statusCode() != 409 ? "not-sent" : "ask";
  }

  /** An app has a JSON library; the JDK has none. */
  static Optional<String> first(String pattern, String text) {
    return Pattern.compile(pattern).matcher(text).results().map(found -> found.group(1)).findFirst();
  }

  public static void main(String[] args) throws InterruptedException {
    String wallet = (args.length > 0 ? args[0] : "http://localhost:7380") + "/api/institutions/v1/wallet";
    HttpResponse<String> init = send(wallet + "/init",
      "{\"customer\":{\"identifier_type\":\"phone\",\"identifier\":\"218910000000\"},\"amount\":25.500,\"currency\":\"LYD\"}");
    if (init == null || init.statusCode() != 200) throw new IllegalStateException("no transaction: nothing has moved");
    String reference = first("\"transaction_reference\":\"([^\"]+)\"", init.body()).orElseThrow(); // keep it first
    String end = endOf(send(wallet + "/confirm", "{\"transaction_reference\":\"" + reference + "\"}"));
    System.out.println(end + " " + reference);
  }
}
