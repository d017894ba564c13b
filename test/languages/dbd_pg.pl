# DBD::Pg: libpq, prepared statements by the server, COPY line by line, the catalog by DBI's calls.
use strict;
use warnings;
use DBI qw(:sql_types);
use DBD::Pg qw(:pg_types :async);
use JSON::PP;

my ($url, $gate) = @ARGV;
my ($user, $password, $host, $port, $database) = $url =~ m{^postgres://([^:@]+)(?::([^@]*))?@([^:/]+):(\d+)/(.*)$};
$| = 1;
my $json = JSON::PP->new->canonical->ascii->allow_nonref;
my %plain = (RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => 1);
my $db = DBI->connect("dbi:Pg:dbname=$database;host=$host;port=$port", $user, $password // '', {%plain});

sub step {
    my ($name, $work) = @_;
    my $found = eval { [$work->()] };
    if ($found) { print $json->encode({step => $name, ok => $found}), "\n" }
    else {
        my $said = (split /\n/, $DBI::errstr // $@)[0];
        print $json->encode({step => $name, error => [$DBI::state // '', $said]}), "\n";
    }
}

sub rows { my ($text, @values) = @_; my $made = $db->prepare($text); $made->execute(@values); return [$made->{NAME}, $made->{pg_type}, plain($made->fetchall_arrayref)] }

# Numbers as texts: JSON has no NaN.
sub plain { my ($value) = @_; return ref $value eq 'ARRAY' ? [map { plain($_) } @$value] : defined $value ? "$value" : undef }

step 'status', sub { $db->{pg_server_version} =~ /^\d+$/ ? 'a version' : 'none', $db->{pg_standard_conforming_strings}, $db->ping };
step 'every type', sub { rows('SELECT * FROM kinds ORDER BY id') };
step 'parameters', sub { rows('SELECT ?::int, ?::text, ?::int[], ?::text', 7, "it's \\ \x{2603}", [1, undef, 3], undef) };
step 'bytes', sub {
    my $made = $db->prepare('SELECT $1::bytea, $2::numeric');
    $made->bind_param(1, "\x00\xff'\\", {pg_type => PG_BYTEA});
    $made->bind_param(2, '1.50', {pg_type => PG_NUMERIC});
    $made->execute;
    my @found = $made->fetchrow_array;
    unpack('H*', $found[0]), $found[1];
};
step 'people', sub { rows('SELECT id, name, email, ssn FROM people WHERE id = ANY(?) ORDER BY id', [7, 8]) };
step 'prepared, run again and again', sub {
    my $made = $db->prepare('SELECT name FROM people WHERE id = ?');
    map { $made->execute($_); $made->fetchrow_array } 1 .. 5;
};
step 'the same names of parameters twice', sub {
    my $made = $db->prepare('SELECT :a::int + :b::int + :a::int');
    $made->bind_param(':a', 1);
    $made->bind_param(':b', 5);
    $made->execute;
    $made->fetchrow_array;
};
step 'a cursor of the server', sub {
    $db->begin_work;
    $db->do('DECLARE named SCROLL CURSOR FOR SELECT id, email FROM people ORDER BY id');
    my @found = (rows('FETCH 3 FROM named'), rows('FETCH PRIOR FROM named'));
    $db->do('MOVE 5 IN named');
    push @found, rows('FETCH NEXT FROM named');
    $db->do('CLOSE named');
    $db->commit;
    @found;
};
step 'an error in a transaction, and back to a savepoint', sub {
    my @seen;
    $db->begin_work;
    $db->do(q{INSERT INTO notes (id, person, body) VALUES (?, 1, 'perl')}, undef, 1001);
    $db->pg_savepoint('here');
    for my $text ('SELECT 1 / 0', 'SELECT 1') { eval { $db->do($text); 1 } or push @seen, $db->state }
    $db->pg_rollback_to('here');
    $db->pg_release('here');
    push @seen, rows('SELECT body FROM notes WHERE id = 1001');
    $db->rollback;
    @seen, rows('SELECT count(*) FROM notes WHERE id = 1001');
};
step 'RETURNING', sub {
    $db->begin_work;
    my $made = $db->prepare(q{INSERT INTO notes (id, person, body) VALUES (?, ?, ?) RETURNING id, feeling});
    $made->execute(1002, 2, 'x');
    my @found = $made->fetchrow_array;
    $db->rollback;
    @found;
};
step 'COPY to', sub {
    my @lines;
    for my $text ('COPY (SELECT id, email FROM people WHERE id < 4 ORDER BY id) TO STDOUT', 'COPY notes (id, body) TO STDOUT WITH CSV') {
        $db->do($text);
        my $line = '';
        push @lines, $line while $db->pg_getcopydata(\$line) >= 0;
    }
    @lines;
};
step 'COPY from', sub {
    $db->do('COPY notes (id, person, body) FROM STDIN');
    $db->pg_putcopydata("7001\t1\tone\n");
    $db->pg_putcopydata("7002\t2\ttwo\n");
    $db->pg_putcopyend;
    my $found = rows('SELECT id, person, body FROM notes WHERE id > 7000 ORDER BY id');
    $found, $db->do('DELETE FROM notes WHERE id > 7000');
};
step 'asynchronous, and cancelled', sub {
    $db->do('SELECT count(*) FROM generate_series(1, 100000000000)', {pg_async => PG_ASYNC});
    select undef, undef, undef, 0.3;
    my $ready = $db->pg_ready;
    $db->pg_cancel;
    $ready, $db->selectrow_array('SELECT 1');
};
step 'table_info', sub { map { [@$_[1 .. 4]] } @{$db->table_info('', 'public', '%', 'TABLE,VIEW')->fetchall_arrayref} };
step 'column_info', sub { map { [@$_[2, 3, 5, 6, 10, 11, 12]] } @{$db->column_info('', 'public', 'notes', '%')->fetchall_arrayref} };
step 'primary_key', sub { $db->primary_key('', 'public', 'notes') };
step 'foreign_key_info', sub { map { [@$_[2, 3, 6, 7, 11]] } @{$db->foreign_key_info(undef, undef, undef, undef, 'public', 'notes')->fetchall_arrayref} };
step 'statistics_info', sub { map { [@$_[2, 3, 5, 7, 8]] } @{$db->statistics_info('', 'public', 'notes', 0, 0)->fetchall_arrayref} };
step 'type_info', sub { map { $_->{TYPE_NAME} } $db->type_info(SQL_ALL_TYPES) };
step 'data_sources', sub { scalar(grep { /dbname=postgres/ } DBI->data_sources('Pg', "host=$host;port=$port;user=$user;password=" . ($password // ''))) >= 0 ? 'listed' : '' };
step 'a sequence', sub { $db->last_insert_id(undef, 'public', 'people', undef) // 'none' };
step 'a key twice', sub { eval { $db->do(q{INSERT INTO notes (id, person, body) VALUES (1, 1, 'x')}) }; $db->state };
step 'no such column', sub { $db->do('SELECT nope FROM people') };

if ($gate) {
    for my $text ('SELECT * FROM secrets', 'DELETE FROM people', 'CREATE TABLE x (a int)') {
        $db->{pg_errorlevel} = 1;
        my $done = eval { $db->do($text) };
        my ($hint) = ($db->errstr // '') =~ /^HINT:\s+(.*)$/m;
        print $json->encode({step => "refused: $text", error => [$db->state, $hint]}), "\n";
    }
}
$db->disconnect;
