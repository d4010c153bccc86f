#!/usr/bin/perl

# status --watch on a pseudo terminal: the terminal is restored however it ends or is stopped.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Fcntl qw(O_NOCTTY O_RDWR);
use POSIX qw(WUNTRACED);
use Test::More;
use Time::HiRes qw(sleep time);

use MultipathTest qw($root $replay spew stub);

my $ENTER = "\e[?1049h\e[?25l\e[?7l";
my $LEAVE = "\e[?7h\e[?25h\e[?1049l";

# The longest wait, where everything is slow.
my $PATIENCE = 60;

# --- a terminal and a session with job control, as a shell has ---

# Linux has these numbers on amd64 and arm64; elsewhere the test is skipped.
my ($TIOCGPTN, $TIOCSPTLCK) = (0x80045430, 0x40045431);

my sub pseudo_terminal() {
    sysopen(my $master, '/dev/ptmx', O_RDWR | O_NOCTTY) or return;
    ioctl($master, $TIOCSPTLCK, my $unlock = pack('i', 0)) or return;
    ioctl($master, $TIOCGPTN, my $number = pack('i', 0)) or return;
    my $path = '/dev/pts/' . unpack('i', $number);
    return -c $path ? ($master, $path) : ();
}

# Runs the program as a job in the foreground, and reports when it is stopped or ends, one line each.
my sub session($path, $news, @command) {
    POSIX::setsid();
    open(my $tty, '+<', $path) or die "no terminal - $!\n";
    %ENV = (%ENV, TERM => 'xterm', LC_ALL => 'C.UTF-8', LINES => 24, COLUMNS => 100);

    my $job = fork() // die "cannot fork - $!\n";
    if ($job == 0) {
        POSIX::setpgid(0, 0);
        local $SIG{TTOU} = 'IGNORE';
        POSIX::tcsetpgrp(fileno($tty), $$);
        open($_, '+<&', $tty) or die "no terminal - $!\n" for \*STDIN, \*STDOUT, \*STDERR;
        $SIG{TTOU} = 'DEFAULT';
        exec(@command);
        die "cannot execute $command[0] - $!\n";
    }
    syswrite($news, "$job\n");
    while (waitpid($job, WUNTRACED) == $job) {
        # a process that has ended no longer exists
        my $is_stopped = kill(0, $job);
        syswrite(
            $news,
            $is_stopped ? "stopped\n" : $? & 127 ? 'signal ' . ($? & 127) . "\n" : 'exit ' . ($? >> 8) . "\n",
        );
        last if !$is_stopped;
    }
    # the terminal would go away with its session
    sleep($PATIENCE);
    POSIX::_exit(0);
}

my sub is_ready($fh, $seconds) {
    vec(my $bits = '', fileno($fh), 1) = 1;
    return select($bits, undef, undef, $seconds) > 0;
}

my sub line_of($fh) {
    my $line = '';
    return if !is_ready($fh, $PATIENCE);
    1 while sysread($fh, $line, 1, length($line)) && $line !~ m/\n\z/;
    return $line =~ s/\n\z//r;
}

my sub start(@command) {
    my ($master, $path) = pseudo_terminal();
    pipe(my $news, my $teller) or die "no pipe - $!\n";
    my $modes = sub() { qx{stty -g <$path} };
    my $before = $modes->();
    my $leader = fork() // die "cannot fork - $!\n";
    session($path, $teller, @command) if $leader == 0;
    close($teller);
    my $job = line_of($news);

    my $out = '';
    my $read = sub($seconds) { is_ready($master, $seconds) && sysread($master, $out, 65536, length($out)) };
    return {
        type => sub($keys) { syswrite($master, $keys) },
        signal => sub($name) { kill($name => $job) or die "no job - $!\n" },
        # its output up to this text; undef if the text does not appear
        until => sub($text) {
            my $deadline = time() + $PATIENCE;
            $read->(0.1) while index($out, $text) < 0 && time() < $deadline;
            my $end = index($out, $text);
            return $end < 0 ? undef : substr($out, 0, $end + length($text), '');
        },
        # how it ended, the rest of its output, and whether the terminal's modes are as before
        outcome => sub() {
            my $deadline = time() + $PATIENCE;
            $read->(0.05) while !is_ready($news, 0) && time() < $deadline;
            my $outcome = is_ready($news, 0) ? line_of($news) : 'still runs';
            1 while $read->(0.2);
            return ($outcome, substr($out, 0, length($out), ''), $modes->() eq $before);
        },
        end => sub() {
            kill(KILL => $job, $leader);
            waitpid($leader, 0);
        },
    };
}

my ($probe) = pseudo_terminal();
plan skip_all => 'no pseudo terminal' if !defined($probe);
close($probe);

# --- what ends it ---

my @watch = ($^X, "$root/perl/bin/pvemultipath", 'status', '--watch=1', '--replay', "$replay/three-nodes");

# The program has drawn its table on the other screen.
my sub is_shown($job, $what) {
    my $out = $job->{until}->('1 degraded, 4 optimal') // '';
    is(rindex($out, $LEAVE) <= rindex($out, $ENTER) && index($out, $ENTER) >= 0, 1, "$what: on another screen");
    return;
}

# Nothing is drawn after the other screen was left.
my sub is_restored($job, $outcome, $what) {
    my ($is, $out, $same) = $job->{outcome}->();
    is($is, $outcome, "$what: $outcome");
    like($out, qr/\Q$LEAVE\E[^\e]*\z/, 'the screen and the cursor are back');
    ok($same, 'the modes of the terminal are as before');
    return;
}

for (
    ['Ctrl-C', type => "\x03"],
    ['Ctrl-\\', type => "\x1c"],
    map { [$_, signal => $_] } qw(INT QUIT TERM HUP),
) {
    my ($what, $how, $argument) = @$_;
    my $job = start(@watch);
    is_shown($job, $what);
    $job->{$how}->($argument);
    # the exit code of the last update
    is_restored($job, 'exit 1', $what);
    $job->{end}->();
}

# --- what stops it ---

for (['Ctrl-Z', type => "\x1a"], ['TSTP', signal => 'TSTP']) {
    my ($what, $how, $argument) = @$_;
    my $job = start(@watch);
    is_shown($job, $what);
    for my $time (1, 2) {
        $job->{$how}->($argument);
        is_restored($job, 'stopped', "$what $time");
        $job->{signal}->('CONT');
        is_shown($job, 'continued');
    }
    $job->{type}->("\x1c");
    is_restored($job, 'exit 1', 'ended after being stopped');
    $job->{end}->();
}

# SIGSTOP cannot be caught, so the screen is drawn again afterwards
{
    my $job = start(@watch);
    is_shown($job, 'STOP');
    $job->{signal}->('STOP');
    is(($job->{outcome}->())[0], 'stopped', 'stopped');
    $job->{signal}->('CONT');
    is_shown($job, 'continued');
    $job->{signal}->('TERM');
    is_restored($job, 'exit 1', 'ended');
    $job->{end}->();
}

# --- keys ---
{
    my $program = spew(stub(), <<'END');
use v5.36;
use PVE::Multipath::CLI::Watch;
exit(PVE::Multipath::CLI::Watch::run(30, sub { return ([map { "line $_." } 1 .. 50], 2) }));
END
    my $job = start($^X, $program);
    my $first = sub($n) { "\e[3;1Hline $n.\e[K" };
    # 24 rows: the time, an error, 21 lines, and how many follow
    like($job->{until}->('... 29 more lines'), qr/\Q${\$first->(1)}\E.*line 21\./s, 'the first page');
    for (
        ['other keys, space' => "zz\x{1}\e[20~ ", 22, '... 8 more lines'],
        # no further than to the last one
        ['page down' => "\e[6~", 29, 'line 50.'],
        ['b' => 'b', 8, '... 22 more lines'],
        ['line down' => "\e[B", 9, '... 21 more lines'],
        ['two lines up' => "k\e[A", 7, '... 23 more lines'],
        ['page up' => "\e[5~", 1, '... 29 more lines'],
        ['end' => "\e[F", 29, 'line 50.'],
        ['start' => 'g', 1, '... 29 more lines'],
    ) {
        my ($what, $keys, $line, $last) = @$_;
        $job->{type}->($keys);
        my $out = $job->{until}->($last) // '';
        like($out, qr/\Q${\$first->($line)}\E/, "$what: from line $line on");
        unlike($out, qr/zz|\^/, 'keys are not shown');
    }
    # long before the next update
    $job->{type}->('q');
    is_restored($job, 'exit 2', 'q');
    $job->{end}->();
}

# --- an update that does not end ---
{
    my $program = spew(stub(), <<'END');
use v5.36;
use PVE::Multipath::CLI::Watch;
exit(PVE::Multipath::CLI::Watch::run(1, sub { syswrite(STDOUT, 'at work'); select(undef, undef, undef, 0.1) while 1 }));
END
    my $job = start($^X, $program);
    ok($job->{until}->('at work'), 'an update that takes long');
    $job->{type}->("\x03");
    # two signals at once would be one
    sleep(1);
    $job->{type}->("\x03");
    is_restored($job, 'exit 0', 'the second one ends it');
    $job->{end}->();
}

done_testing();
