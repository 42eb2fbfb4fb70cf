<?php
// Tops a wallet up through the sidecar. Usage: php top-up.php [http://localhost:7380 | /path/of/the.sock]
declare(strict_types=1);

$place = $argv[1] ?? 'http://localhost:7380';
$curl = curl_init();
if (str_starts_with($place, '/')) curl_setopt($curl, CURLOPT_UNIX_SOCKET_PATH, $place);
$base = (str_starts_with($place, '/') ? 'http://localhost' : $place) . '/api/institutions/v1/wallet';

/** Sends it, and the very same again while nothing reached Presto. Null: nobody knows what became of it. */
function send(CurlHandle $curl, string $url, string $body): ?array
{
    for ($left = 5; ; $left--) {
        $headers = [];
        curl_setopt_array($curl, [
            CURLOPT_URL => $url,
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
            CURLOPT_PROXY => '', // whatever http_proxy says
            CURLOPT_CONNECTTIMEOUT => 2,
            CURLOPT_TIMEOUT => 25, // longer than PRESTO_TIMEOUT
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HEADERFUNCTION => function ($_, string $line) use (&$headers): int {
                [$name, $value] = explode(':', $line, 2) + [1 => ''];
                $headers[strtolower($name)] = trim($value);
                return strlen($line);
            },
        ]);
        $text = curl_exec($curl);
        if (!is_string($text)) return null;
        $isProblem = ($headers['content-type'] ?? '') === 'application/problem+json';
        $reply = [
            'status' => curl_getinfo($curl, CURLINFO_RESPONSE_CODE),
            'headers' => $headers,
            'body' => json_decode($text, true),
            'problem' => $isProblem ? json_decode($text, true) : [],
        ];
        $again = ($headers['presto-outcome'] ?? '') === 'not-sent' && ($reply['problem']['retryable'] ?? false);
        if (!$again || $left <= 1) return $reply;
        sleep((int) ($headers['retry-after'] ?? 1));
    }
}

/** What became of a confirm: paid, refused, not-sent, or ask. */
function end_of(?array $reply): string
{
    if ($reply === null) return 'ask';
    $outcome = $reply['headers']['presto-outcome'] ?? null;
    $told = $reply['headers']['presto-transaction'] ?? $reply['problem']['transaction']['status'] ?? null;
    $kind = intdiv($reply['status'], 100);
    return match (true) {
        $told === 'completed', $outcome === 'answered' && $told === null && $kind === 2 => 'paid',
        $outcome === 'answered' && $told === null && $kind === 4 => 'refused',
        $outcome === 'not-sent' && $reply['status'] !== 409 => 'not-sent',
        default => 'ask',
    };
}

$order = '{"customer":{"identifier_type":"phone","identifier":"218910000000"},"amount":25.500,"currency":"LYD"}';
$init = send($curl, "$base/init", $order);
if ($init === null || $init['status'] !== 200) exit("no transaction: nothing has moved\n");
$reference = $init['body']['data']['transaction_reference']; // keep it where it outlives this process, then confirm
$end = end_of(send($curl, "$base/confirm", json_encode(['transaction_reference' => $reference])));
echo "$end $reference\n";
