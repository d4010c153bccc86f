package PVE::Multipath::Command;

=head1 NAME

PVE::Multipath::Command - run a program with a time-out, without a shell

=head1 DESCRIPTION

    my $reply = PVE::Multipath::Command::run(['/sbin/multipathd', 'show', 'daemon'], timeout => 5);

returns a hash with C<stdout> and C<stderr> (bytes, kept apart: multipathd prints complaints about
configuration files on stderr beside a correct answer), C<exit-code> (undef if a signal ended the
program, or the time-out did) and C<timed-out>. A program that cannot be started gives exit code 127
and the reason on stderr, as in a shell. Dies only if there is no pipe or no process to be had.

PVE::Tools::run_command does not serve here, because it

=over

=item *

measures the time-out with C<alarm>, so that an alarm of its caller does not go off while it runs

=item *

kills only the program itself at the time-out, not its children, and waits for every process that
has inherited the pipes

=item *

passes on lines, without their carriage returns and backspaces: the library reads the bytes of
multipathd's reply, since names of arrays may contain such

=item *

takes any amount of output

=item *

reports time-outs and signals only in the text of an error, and any program as failed where the
caller ignores SIGCHLD

=item *

keeps the caller's environment, PATH included, which is tainted in the API's daemons

=item *

is not there on a machine without Proxmox VE, where C<pvemultipath> works on recordings

=back

=cut

use v5.36;

use Errno qw(EINTR EAGAIN);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use List::Util qw(min);
use POSIX qw(WNOHANG);

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Text qw(joined_lines);

# multipathd limits its replies to 32 MiB
our $OUTPUT_LIMIT = 64 * 1024 * 1024;

my $READ_SIZE = 256 * 1024;

# Never returns, and runs no clean-up code: the child is a copy of a daemon.
my sub child($cmd, $stdin, $stdout, $stderr, $failure) {
    eval {
        local $SIG{__DIE__} = 'DEFAULT';
        setpgrp(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(PIPE CHLD INT TERM HUP QUIT ALRM USR1 USR2);
        POSIX::sigprocmask(POSIX::SIG_SETMASK(), POSIX::SigSet->new());

        POSIX::dup2(fileno($stdin), 0) // die "stdin: $!\n";
        POSIX::dup2(fileno($stdout), 1) // die "stdout: $!\n";
        POSIX::dup2(fileno($stderr), 2) // die "stderr: $!\n";

        # without the caller's locale and its tainted PATH
        %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C');

        no warnings 'exec';
        exec { $cmd->[0] } @$cmd or die "$!\n";
    };
    my $err = $@ || "unknown error\n";
    chomp $err;
    syswrite($failure, $err);
    POSIX::_exit(127);
}

my sub nonblocking($fh) {
    my $flags = fcntl($fh, F_GETFL, 0) // die "fcntl failed - $!\n";
    fcntl($fh, F_SETFL, $flags | O_NONBLOCK) // die "fcntl failed - $!\n";
    return;
}

# Reads what is available now; false at the end of the stream.
my sub drain($fh, $bufref) {
    while (1) {
        my $count = sysread($fh, $$bufref, $READ_SIZE, length($$bufref));
        if (!defined($count)) {
            next if $! == EINTR;
            return $! == EAGAIN;
        }
        return 0 if $count == 0;
        return 1 if length($$bufref) > $OUTPUT_LIMIT;
    }
}

my sub collect($pid, $reply, $streams, $deadline) {
    my $status;
    my $pause = 0.001;

    while (1) {
        my $left = $deadline - monotonic();
        if ($left <= 0) {
            $reply->{'timed-out'} = 1;
            return undef;
        }

        # A process that the program left behind may keep the pipes open, so the program itself is
        # checked as well.
        if (!defined($status)) {
            my $res = waitpid($pid, WNOHANG);
            if ($res == $pid) {
                $status = $?;
            } elsif ($res < 0 && $! != EINTR) {
                $status = -1; # other code of this process has reaped it
            }
        }

        my $rin = '';
        vec($rin, fileno($_->[0]), 1) = 1 for @$streams;
        # most programs exit when they close their streams
        $pause *= 2 if !@$streams;
        my $wait = defined($status) ? 0 : min($left, @$streams ? 0.05 : $pause, 0.05);
        my $ready = select(my $rout = $rin, undef, undef, $wait);

        if ($ready > 0) {
            for my $stream (@$streams) {
                next if !vec($rout, fileno($stream->[0]), 1);
                $stream->[2] = 1 if !drain($stream->[0], $stream->[1]);
            }
            $streams->@* = grep { !$_->[2] } @$streams;

            if (length($reply->{stdout}) + length($reply->{stderr}) > $OUTPUT_LIMIT) {
                $reply->{stdout} = '';
                $reply->{stderr} = "more than $OUTPUT_LIMIT bytes of output\n";
                return undef;
            }
        } elsif (defined($status)) {
            return $status;
        }
    }
}

sub run($cmd, %opts) {
    my $deadline = monotonic() + ($opts{timeout} // 10);
    my $reply = { 'exit-code' => undef, stdout => '', stderr => '', 'timed-out' => 0 };

    open(my $null, '<', '/dev/null') or die "cannot open /dev/null - $!\n";
    pipe(my $out_r, my $out_w) or die "cannot create a pipe - $!\n";
    pipe(my $err_r, my $err_w) or die "cannot create a pipe - $!\n";
    # closed by a successful exec, else it has the reason
    pipe(my $fail_r, my $fail_w) or die "cannot create a pipe - $!\n";
    nonblocking($_) for $out_r, $err_r;

    # this function waits for the child, whatever the daemon's handler does
    my $chld_handler = $SIG{CHLD};
    my ($status, $failure, $err);
    {
        local $SIG{CHLD} = 'DEFAULT';

        my $pid = fork() // die "cannot fork - $!\n";
        child($cmd, $null, $out_w, $err_w, $fail_w) if $pid == 0;

        # in parent and child, since either may be first
        POSIX::setpgid($pid, $pid);
        close($_) for $null, $out_w, $err_w, $fail_w;

        # the caller's alarm may die in here; then the child is killed as well
        my $done = eval {
            # blocks until the exec
            while (!defined(sysread($fail_r, $failure, 1024))) {
                die "cannot start '$cmd->[0]' - $!\n" if $! != EINTR;
            }
            my @streams = ([$out_r, \$reply->{stdout}], [$err_r, \$reply->{stderr}]);
            $status = collect($pid, $reply, \@streams, $deadline);
            1;
        };
        $err = $@ if !$done;

        if (!defined($status)) {
            kill('KILL', -$pid);
            kill('KILL', $pid);
            while (waitpid($pid, 0) == -1 && $! == EINTR) { }
        }
    }
    # the caller's own children may have exited in the meantime
    kill('CHLD', $$) if defined($chld_handler) && $chld_handler !~ m/^(?:DEFAULT|IGNORE|)$/;

    die $err if defined($err);

    if (defined($status) && $status >= 0 && ($status & 0x7f) == 0) {
        $reply->{'exit-code'} = $status >> 8;
        $reply->{stderr} .= "cannot execute '$cmd->[0]' - $failure\n" if length($failure // '');
    }

    return $reply;
}

# The error text for a command that has failed, by its reply: what the command printed, on one line.
sub failure($name, $reply) {
    my $exit_code = $reply->{'exit-code'};
    my $how = !defined($exit_code) ? ' (killed)' : $exit_code ? " (exit code $exit_code)" : '';
    my $text = joined_lines("$reply->{stderr}\n$reply->{stdout}");
    $text = 'no answer' if !length($text);
    return "'$name' failed$how: $text\n";
}

1;
