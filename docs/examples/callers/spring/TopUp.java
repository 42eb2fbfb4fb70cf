import java.net.http.HttpClient;
import java.time.Duration;
import java.util.Map;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Tops a wallet up through the sidecar. Arguments: [http://localhost:7380] */
public class TopUp {
  record Reply(int status, HttpHeaders headers, JsonNode body) {
    String header(String name) { return String.valueOf(headers.getFirst(name)); }
    boolean isProblem() { return header("Content-Type").equals("application/problem+json"); }
  }

  static RestClient clientOf(String base) {
    // Not SimpleClientHttpRequestFactory: HttpURLConnection sends a POST again by itself (sun.net.http.retryPost).
    var factory = new JdkClientHttpRequestFactory(HttpClient.newBuilder()
      .proxy(HttpClient.Builder.NO_PROXY).connectTimeout(Duration.ofSeconds(2)).build());
    factory.setReadTimeout(Duration.ofSeconds(25)); // longer than PRESTO_TIMEOUT
    return RestClient.builder().baseUrl(base + "/api/institutions/v1/wallet").requestFactory(factory).build();
  }

  /** Sends it, and the very same again while nothing reached Presto. Null: nobody knows what became of it. */
  static Reply send(RestClient client, String path, String body) throws InterruptedException {
    for (int left = 5; ; left--) {
      Reply reply;
      try {
        // exchange, not retrieve: whatever the status, it throws nothing away.
        reply = client.post().uri(path).contentType(MediaType.APPLICATION_JSON).body(body).exchange(
          (request, response) -> new Reply(response.getStatusCode().value(), response.getHeaders(),
            json(response.getBody().readAllBytes())));
      } catch (ResourceAccessException error) {
        return null;
      }
      boolean retryable = reply.isProblem() && reply.body().path("retryable").asBoolean();
      if (!reply.header("Presto-Outcome").equals("not-sent") || !retryable || left <= 1) return reply;
      String seconds = reply.headers().getFirst("Retry-After");
      Thread.sleep(1_000 * (seconds == null ? 1 : Long.parseLong(seconds)));
    }
  }

  /** A gateway's page is no JSON, and none of this needs it. */
  static JsonNode json(byte[] bytes) {
    try {
      return JsonMapper.shared().readTree(bytes);
    } catch (RuntimeException error) {
      return JsonMapper.shared().missingNode();
    }
  }

  /** What became of a confirm: paid, refused, not-sent, or ask. */
  static String endOf(Reply reply) {
    if (reply == null) return "ask";
    String told = reply.isProblem()
      ? reply.body().path("transaction").path("status").asString(null)
      : reply.headers().getFirst("Presto-Transaction");
    if ("completed".equals(told)) return "paid";
    String outcome = reply.header("Presto-Outcome");
    if (outcome.equals("answered") && told == null && reply.status() / 100 == 2) return "paid";
    if (outcome.equals("answered") && told == null && reply.status() / 100 == 4) return "refused";
    return outcome.equals("not-sent") && reply.status() != 409 ? "not-sent" : "ask";
  }

  public static void main(String[] args) throws InterruptedException {
    RestClient client = clientOf(args.length > 0 ? args[0] : "http://localhost:7380");
    Reply init = send(client, "/init", """
      {"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}""");
    if (init == null || init.status() != 200) throw new IllegalStateException("no transaction: nothing has moved");
    String reference = init.body().path("data").path("transaction_reference").asString(); // keep it, then confirm
    String confirm = JsonMapper.shared().writeValueAsString(Map.of("transaction_reference", reference));
    System.out.println(endOf(send(client, "/confirm", confirm)) + " " + reference);
  }
}
