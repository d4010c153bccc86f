#!/usr/bin/perl

# Running programs: exit codes, separate stdout and stderr, the time-out, the output limit, and no process
# left behind, even if the caller is interrupted.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time sleep);

use MultipathTest qw(stub slurp);
use PVE::Multipath::Command;

my sub run($text, @opts) {
    return PVE::Multipath::Command::run([stub($text), 'a b', '$(id)'], @opts);
}

my sub gone($pid) {
    for (1 .. 50) {
        return 1 if !kill(0, $pid);
        sleep(0.05);
    }
    return 0;
}

is_deeply(
    run('echo out; echo err >&2; exit 3'),
    { 'exit-code' => 3, stdout => "out\n", stderr => "err\n", 'timed-out' => 0 },
    'exit code, stdout and stderr',
);
is(run('printf "%s|" "$@"')->{stdout}, 'a b|$(id)|', 'arguments do not pass a shell');
is(run('cat')->{'exit-code'}, 0, 'standard input is empty');
is(run('kill -9 $$')->{'exit-code'}, undef, 'killed by a signal: no exit code');
is(run('kill -9 $$')->{'timed-out'}, 0, 'this is not a time-out');

my $reply = PVE::Multipath::Command::run([stub()]);
is($reply->{'exit-code'}, 127, 'a program that is not there');
like($reply->{stderr}, qr/^cannot execute '.*': |No such file/, 'is named on stderr');

{
    local $ENV{EVIL} = 'x';
    local $ENV{LC_ALL} = 'de_DE.UTF-8';
    is(run('printf "%s,%s" "$EVIL" "$LC_ALL"')->{stdout}, ',C', 'the environment is clean');
}

my $start = time();
$reply = run('echo begun; sleep 30', timeout => 0.5);
is($reply->{'timed-out'}, 1, 'a time-out');
is($reply->{'exit-code'}, undef, 'has no exit code');
is($reply->{stdout}, "begun\n", 'but what was printed');
ok(time() - $start < 5, 'and comes in time');

$reply = run('sleep 30 & echo $!; exec >&- 2>&-; wait', timeout => 0.5);
is($reply->{'timed-out'}, 1, 'a time-out after both streams were closed');
ok(gone($reply->{stdout} =~ s/\s//gr), 'the whole process group is gone');

$start = time();
$reply = run('sleep 3 & echo done');
is($reply->{stdout}, "done\n", 'a process that is left behind');
ok(time() - $start < 2, 'does not hold us up');

{
    local $PVE::Multipath::Command::OUTPUT_LIMIT = 100_000;
    $reply = run('yes');
    is($reply->{'exit-code'}, undef, 'too much output ends the program');
    is($reply->{stdout}, '', 'and none of it is taken');
    like($reply->{stderr}, qr/more than 100000 bytes/, 'with an error message');
    is(run('head -c 100000 /dev/zero')->{'exit-code'}, 0, 'as much as is allowed');
}

$reply = run('head -c 3000000 /dev/zero | tr "\0" o; head -c 3000000 /dev/zero | tr "\0" e >&2');
is($reply->{stdout}, 'o' x 3_000_000, 'much on stdout');
is($reply->{stderr}, 'e' x 3_000_000, 'and then on stderr');

{
    local $SIG{CHLD} = 'IGNORE';
    is(run('exit 5')->{'exit-code'}, 5, 'with SIGCHLD ignored');
}
{
    my $called = 0;
    local $SIG{CHLD} = sub { $called++; 1 while waitpid(-1, POSIX::WNOHANG()) > 0 };
    is(run('exit 6')->{'exit-code'}, 6, 'with a handler that takes all children');
    is($called, 1, 'which is told that something may have ended meanwhile');
}
{
    my $pidfile = stub();
    local $SIG{ALRM} = sub { die "interrupted\n" };
    Time::HiRes::alarm(0.5);
    eval { run("echo \$\$ > $pidfile; exec sleep 30") };
    is($@, "interrupted\n", "a caller's alarm gets through");
    ok(gone(slurp($pidfile) =~ s/\s//gr), 'and the program does not outlive it');
}

is(waitpid(-1, POSIX::WNOHANG()), -1, 'no child is left');
my @fds = glob('/proc/self/fd/*');
run('exit 0') for 1 .. 20;
is(scalar(() = glob('/proc/self/fd/*')), scalar(@fds), 'no descriptor is left');

done_testing();
