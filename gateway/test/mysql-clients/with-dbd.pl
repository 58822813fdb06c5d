# DBD::MariaDB, with emulated and with real preparing.
use strict;
use warnings;
use DBI;
binmode STDOUT, ':utf8';

my ($port, $user, $password, $database) = @ENV{qw(CLIENT_PORT CLIENT_USER CLIENT_PASSWORD CLIENT_DATABASE)};
sub show { print join(' | ', map { defined $_ ? $_ : 'NULL' } @_), "\n" }
for my $real (0, 1) {
  my $db = DBI->connect("dbi:MariaDB:database=$database;host=127.0.0.1;port=$port;mariadb_ssl_optional=1", $user, $password,
    { RaiseError => 1, PrintError => 0, mariadb_server_prepare => $real });
  $db->do('DELETE FROM sink');
  show(@$_) for @{ $db->selectall_arrayref('SELECT id, nick, mail FROM people ORDER BY id') };
  show(map { defined $_ && /[^[:print:]]/ ? unpack('H*', $_) : $_ } @$_) for @{ $db->selectall_arrayref('SELECT * FROM kinds') };
  my $insert = $db->prepare('INSERT INTO sink (body) VALUES (?)');
  show($insert->execute($_)) for ('a', "it's \\", undef, 'x' x 70000);
  show('lengths', map { $_->[0] } @{ $db->selectall_arrayref('SELECT LENGTH(body) FROM sink ORDER BY id') });
  my $select = $db->prepare('SELECT a, d, f, g, h FROM kinds WHERE a = ?');
  $select->execute(-1);
  show(@$_) for @{ $select->fetchall_arrayref };
  show(join(',', @{ $select->{NAME} }));
  $db->begin_work;
  show('deleted', $db->do('DELETE FROM sink'));
  $db->rollback;
  show($db->selectrow_array('SELECT COUNT(*) FROM sink'));
  eval { $db->do('SELECT * FROM nowhere') };
  show('error', $db->err, $db->state);
  unless ($real) {
    my $call = $db->prepare('CALL many()');
    $call->execute;
    do { show('result', map { @$_ } @{ $call->{NUM_OF_FIELDS} ? $call->fetchall_arrayref : [] }) } while ($call->more_results);
  }
  show('ping', $db->ping ? 1 : 0);
  show('tables', join(',', sort map { s/.*\.//r } grep { /people|kinds|sink/ } $db->tables));
  show('columns', map { $_->[3] } @{ $db->column_info(undef, undef, 'people', '%')->fetchall_arrayref });
  $db->disconnect;
}
