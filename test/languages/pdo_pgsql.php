<?php
// PHP: PDO with prepares of the server and of its own, the older pg_* functions, COPY, metadata.
[$url, $gate] = [$argv[1], $argv[2] ?? null];
$at = parse_url($url);
$dsn = "pgsql:host={$at['host']};port={$at['port']};dbname=" . ltrim($at['path'], '/');

function step(string $name, callable $work): void
{
    try {
        echo json_encode(['step' => $name, 'ok' => $work()], JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
    } catch (PDOException $error) {
        echo json_encode(['step' => $name, 'error' => [$error->errorInfo[0] ?? $error->getCode(), explode("\n", $error->errorInfo[2] ?? $error->getMessage())[0]]]), "\n";
    } catch (Throwable $error) {
        echo json_encode(['step' => $name, 'error' => [get_class($error), explode("\n", $error->getMessage())[0]]]), "\n";
    }
}

function bytes(mixed $value): mixed
{
    return is_resource($value) ? ['bytes' => bin2hex(stream_get_contents($value))] : (is_array($value) ? array_map('bytes', $value) : $value);
}

$db = new PDO($dsn, $at['user'], $at['pass'] ?? '', [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$rows = fn(string $text, array $values = []) => (function () use ($db, $text, $values) {
    $made = $db->prepare($text);
    $made->execute($values);
    return bytes($made->fetchAll(PDO::FETCH_ASSOC));
})();

step('status', fn() => [$db->getAttribute(PDO::ATTR_DRIVER_NAME), (int) $db->getAttribute(PDO::ATTR_SERVER_VERSION) > 14]);
step('every type', fn() => $rows('SELECT * FROM kinds ORDER BY id'));
step('parameters', fn() => $rows('SELECT :a::int AS a, :b::text AS b, :c::text AS c, :d::float8 AS d', ['a' => 7, 'b' => "it's \\ ☃", 'c' => null, 'd' => 1.5]));
step('bytes', function () use ($db) {
    $made = $db->prepare('SELECT ?::bytea AS raw, ?::bool AS yes');
    $made->bindValue(1, "\x00\xff'\\", PDO::PARAM_LOB);
    $made->bindValue(2, true, PDO::PARAM_BOOL);
    $made->execute();
    return bytes($made->fetchAll(PDO::FETCH_NUM));
});
step('people', fn() => $rows('SELECT id, name, email, ssn FROM people WHERE id IN (?, ?) ORDER BY id', [7, 8]));
step('prepared by PDO itself', function () use ($db) {
    $made = $db->prepare('SELECT name FROM people WHERE id = ? AND name <> ?', [PDO::ATTR_EMULATE_PREPARES => true]);
    $made->execute([3, "o'n \\e"]);
    return $made->fetchAll();
});
step('again and again', function () use ($db) {
    $made = $db->prepare('SELECT email FROM people WHERE id = ?');
    return array_map(function ($id) use ($made) {
        $made->execute([$id]);
        return $made->fetchColumn();
    }, [1, 2, 3]);
});
step('a cursor that scrolls', function () use ($db) {
    $db->beginTransaction();
    $made = $db->prepare('SELECT id, name FROM people ORDER BY id', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
    $made->execute();
    $found = [
        $made->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_NEXT),
        $made->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST),
        $made->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 5),
        $made->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR),
    ];
    $made = null;
    $db->commit();
    return $found;
});
step('a transaction with an error', function () use ($db, $rows) {
    $seen = [];
    $db->beginTransaction();
    $db->exec("INSERT INTO notes (id, person, body) VALUES (1001, 1, 'php')");
    $db->exec('SAVEPOINT here');
    foreach (['SELECT 1 / 0', 'SELECT 1'] as $text) {
        try {
            $db->query($text);
        } catch (PDOException $error) {
            $seen[] = $error->errorInfo[0];
        }
    }
    $db->exec('ROLLBACK TO SAVEPOINT here');
    $seen[] = $rows('SELECT body FROM notes WHERE id = 1001');
    $db->rollBack();
    return [...$seen, $rows('SELECT count(*) AS n FROM notes WHERE id = 1001')];
});
step('what a column is', function () use ($db) {
    $made = $db->query('SELECT id, email, ssn FROM people LIMIT 1');
    return array_map(fn($i) => array_intersect_key($made->getColumnMeta($i), array_flip(['name', 'native_type', 'pdo_type', 'len', 'precision', 'table'])), [0, 1, 2]);
});
step('COPY to and from', function () use ($db, $rows) {
    $out = $db->pgsqlCopyToArray('notes (id, body)');
    $db->pgsqlCopyFromArray('notes', ["7001\t1\tone\tcalm\n", "7002\t2\ttwo\tbusy\n"]);
    return [$out, $rows('SELECT id, feeling FROM notes WHERE id > 7000 ORDER BY id'), $db->exec('DELETE FROM notes WHERE id > 7000')];
});
step('a connection that is kept', function () use ($dsn, $at) {
    $again = fn() => new PDO($dsn, $at['user'], $at['pass'] ?? '', [PDO::ATTR_PERSISTENT => true]);
    $first = $again()->query('SELECT 1')->fetchAll(PDO::FETCH_NUM);
    return [$first, $again()->query('SELECT 2')->fetchAll(PDO::FETCH_NUM)];
});
step('a key twice', fn() => $db->exec("INSERT INTO notes (id, person, body) VALUES (1, 1, 'x')"));
step('a syntax error', fn() => $db->query('SELEC 1'));

$old = pg_connect("host={$at['host']} port={$at['port']} dbname=" . ltrim($at['path'], '/') . " user={$at['user']} password='" . ($at['pass'] ?? '') . "'");
step('pg_query_params', fn() => pg_fetch_all(pg_query_params($old, 'SELECT id, email FROM people WHERE id = $1', [7])));
step('pg_prepare', function () use ($old) {
    pg_prepare($old, 'mine', 'SELECT name FROM people WHERE id = $1');
    return pg_fetch_all(pg_execute($old, 'mine', [2]));
});
step('pg_select and pg_convert', fn() => [pg_select($old, 'people', ['id' => 3]), pg_convert($old, 'notes', ['person' => '4', 'body' => 'x'])]);
step('pg_meta_data', fn() => pg_meta_data($old, 'notes'));
step('pg_copy_to', fn() => pg_copy_to($old, 'notes'));
step('pg_field_table', function () use ($old) {
    $result = pg_query($old, 'SELECT email, ssn FROM people LIMIT 1');
    return [pg_field_type($result, 0), pg_field_type($result, 1), pg_field_name($result, 1)];
});
step('asynchronous', function () use ($old) {
    pg_send_query($old, 'SELECT 1; SELECT 2');
    return [pg_fetch_row(pg_get_result($old)), pg_fetch_row(pg_get_result($old)), pg_get_result($old)];
});
step('cancel', function () use ($old) {
    pg_send_query($old, 'SELECT count(*) FROM generate_series(1, 100000000000)');
    usleep(300000);
    $done = pg_cancel_query($old);
    return [$done, pg_fetch_row(pg_query($old, 'SELECT 1'))];
});
step('reset', fn() => [pg_connection_reset($old), pg_fetch_row(pg_query($old, 'SELECT 1'))]);

if ($gate) {
    foreach (['SELECT * FROM secrets', 'DELETE FROM people', 'CREATE TABLE x (a int)'] as $text) {
        pg_send_query($old, $text);
        $result = pg_get_result($old);
        echo json_encode(['step' => "refused: $text", 'error' => [pg_result_error_field($result, PGSQL_DIAG_SQLSTATE), pg_result_error_field($result, PGSQL_DIAG_MESSAGE_HINT)]]), "\n";
        while (pg_get_result($old));
    }
}
