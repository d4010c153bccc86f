package PVE::Multipath::CLI::Watch;

# A view on a terminal that is updated repeatedly; only the lines that have changed are rewritten.

use v5.36;

use List::Util qw(max min);
use POSIX ();
use Time::HiRes ();

use PVE::Multipath::CLI::Output qw(encoded terminal_height);

# alternate screen, no cursor, no line wrapping
my $ENTER = "\e[?1049h\e[?25l\e[?7l\e[H\e[2J";
my $LEAVE = "\e[?7h\e[?25h\e[?1049l";

# As many lines as fit; the last one counts the others.
sub fit($lines, $height) {
    return @$lines if @$lines <= $height;
    my $shown = max($height - 1, 0);
    return ($lines->@[0 .. $shown - 1], '... ' . (@$lines - $shown) . ' more lines');
}

# The text that changes a terminal showing the old lines to the new ones.
sub changes($old, $new) {
    my $text = '';
    for my $i (0 .. $#$new) {
        next if $i < @$old && $old->[$i] eq $new->[$i];
        $text .= sprintf("\e[%d;1H%s\e[K", $i + 1, $new->[$i]);
    }
    $text .= sprintf("\e[%d;1H\e[J", @$new + 1) if @$new < @$old;
    return $text;
}

# Calls the code every $seconds and shows the lines that it returns, ($lines, $exit_code), until a
# signal ends it. Returns the last exit code. An error is shown above the previous lines. The
# terminal is restored however it ends or is stopped.
sub run($seconds, $code) {
    die "watching needs a terminal\n" if !-t STDOUT;

    my ($ended, $stopped, $redraw);
    # a second signal interrupts the code
    my $end = sub { die "interrupted\n" if $ended++ };
    local @SIG{qw(INT QUIT TERM HUP)} = ($end) x 4;
    local $SIG{TSTP} = sub { $stopped = 1 };
    # also after SIGSTOP, which cannot be caught
    local @SIG{qw(CONT WINCH)} = (sub { $redraw = 1 }) x 2;
    # warnings would corrupt the screen
    local $SIG{__WARN__} = sub { };

    my $write = sub($text) {
        print STDOUT encoded($text);
        STDOUT->flush();
    };
    my $stop = sub {
        $write->($LEAVE);
        local $SIG{TSTP} = 'DEFAULT';
        kill(TSTP => $$);
        ($stopped, $redraw) = (0, 1);
    };

    my ($shown, $lines, $exit_code) = ([], [], 0);
    my $done = eval {
        $write->($ENTER);
        while (!$ended) {
            my @res = eval { $code->() };
            my $err = $@ =~ s/\n.*//sr;
            ($lines, $exit_code) = @res if @res;

            $stop->() if $stopped;
            if ($redraw) {
                $write->($ENTER);
                ($shown, $redraw) = ([], 0);
            }
            my $now = POSIX::strftime('%H:%M:%S', localtime());
            my $head = "every $seconds s, now $now; end with Ctrl-C";
            my $height = terminal_height();
            my @new = fit([$head, length($err) ? "error: $err" : '', @$lines], $height);
            $write->(changes($shown, \@new));
            $shown = \@new;

            # a signal ends the sleep early
            Time::HiRes::sleep($seconds) if !$ended && !$stopped && !$redraw;
        }
        1;
    };
    my $err = $@;
    $write->($LEAVE);
    die $err if !$done && !$ended;
    return $exit_code;
}

1;
