// Tops a wallet up through the sidecar. Usage: dotnet run -- [http://localhost:7380 | /path/of/the.sock]
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

var place = args.Length > 0 ? args[0] : "http://localhost:7380";
var handler = new SocketsHttpHandler
{
    UseProxy = false, // HTTP_PROXY is not looked at
    AllowAutoRedirect = false,
    ConnectTimeout = TimeSpan.FromSeconds(2),
};
if (place.StartsWith('/'))
    handler.ConnectCallback = async (_, cancel) =>
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(place), cancel);
        return new NetworkStream(socket, ownsSocket: true);
    };
using var client = new HttpClient(handler)
{
    BaseAddress = new Uri(place.StartsWith('/') ? "http://localhost" : place),
    Timeout = TimeSpan.FromSeconds(25), // longer than PRESTO_TIMEOUT
};

// Sends it, and the very same again while nothing reached Presto. Null: nobody knows what became of it.
async Task<Reply?> Send(string path, string body)
{
    for (var left = 5; ; left--)
    {
        Reply reply;
        try
        {
            using var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
            using var answer = await client.PostAsync("/api/institutions/v1/wallet" + path, content);
            reply = new Reply(answer.StatusCode, answer.Headers, Json(await answer.Content.ReadAsStringAsync()),
                answer.Content.Headers.ContentType?.MediaType == "application/problem+json");
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            return null;
        }
        if (reply.Field("Presto-Outcome") != "not-sent" || !reply.IsRetryable || left <= 1) return reply;
        await Task.Delay(reply.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1));
    }
}

// A gateway's page is no JSON, and none of this needs it.
static JsonElement? Json(string text)
{
    try { return JsonDocument.Parse(text).RootElement; }
    catch (JsonException) { return null; }
}

// What became of a confirm: paid, refused, not-sent, or ask.
static string EndOf(Reply? reply)
{
    if (reply is null) return "ask";
    var (outcome, told) = (reply.Field("Presto-Outcome"), reply.Told);
    return (outcome, told, (int)reply.Status / 100) switch
    {
        (_, "completed", _) or ("answered", null, 2) => "paid",
        ("answered", null, 4) => "refused",
        ("not-sent", _, _) when reply.Status != HttpStatusCode.Conflict => "not-sent",
        _ => "ask",
    };
}

var init = await Send("/init",
    """{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}""");
if (init is not { Status: HttpStatusCode.OK, Body: { } order })
    throw new InvalidOperationException("no transaction: nothing has moved");
// Keep it where it outlives this process, then confirm.
var reference = order.GetProperty("data").GetProperty("transaction_reference").GetString()!;
var confirm = JsonSerializer.Serialize(new { transaction_reference = reference });
Console.WriteLine($"{EndOf(await Send("/confirm", confirm))} {reference}");

record Reply(HttpStatusCode Status, HttpResponseHeaders Headers, JsonElement? Body, bool IsProblem)
{
    public string? Field(string name) => Headers.TryGetValues(name, out var values) ? values.First() : null;

    public bool IsRetryable => IsProblem && Body!.Value.GetProperty("retryable").GetBoolean();

    /// <summary>What is known of the transaction: beside Presto's answer, or in the sidecar's own document.</summary>
    public string? Told => !IsProblem
        ? Field("Presto-Transaction")
        : Body!.Value.TryGetProperty("transaction", out var known) ? known.GetProperty("status").GetString() : null;
}
