package PVE::Multipath::CLI::Watch;

# A view on a terminal that is updated repeatedly; only the lines that have changed are rewritten. Keys move
# through lines that do not fit.

use v5.36;

use List::Util qw(max min);
use POSIX ();
use Time::HiRes ();

use PVE::Multipath::CLI::Output qw(encoded terminal_height);
use PVE::Multipath::Clock qw(monotonic);

# Lines above those that are shown: the time, and an error.
our $HEAD = 2;

# alternate screen, no cursor, no line wrapping
my $ENTER = "\e[?1049h\e[?25l\e[?7l\e[H\e[2J";
my $LEAVE = "\e[?7h\e[?25h\e[?1049l";

# As many lines from the offset on as fit; the last one counts those that follow.
sub fit($lines, $height, $offset = 0) {
    my $left = @$lines - $offset;
    return $lines->@[$offset .. $#$lines] if $left <= $height;
    my $shown = max($height - 1, 0);
    return ($lines->@[$offset .. $offset + $shown - 1], '... ' . ($left - $shown) . ' more lines');
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

# What keys do: the new offset from the present one, the number of lines and how many fit.
my sub page_down($offset, $, $height) { $offset + $height - 1 }
my sub page_up($offset, $, $height) { $offset - $height + 1 }
my sub line_down($offset, @) { $offset + 1 }
my sub line_up($offset, @) { $offset - 1 }
my sub to_start(@) { 0 }
my sub to_end($, $count, $) { $count }

my $moves = {
    (map { $_ => \&page_down } ' ', 'f', "\e[6~"),
    (map { $_ => \&page_up } 'b', "\e[5~"),
    (map { $_ => \&line_down } 'j', "\n", "\r", "\e[B", "\eOB"),
    (map { $_ => \&line_up } 'k', "\e[A", "\eOA"),
    (map { $_ => \&to_start } 'g', "\e[H", "\eOH", "\e[1~"),
    (map { $_ => \&to_end } 'G', "\e[F", "\eOF", "\e[4~"),
};

sub keys_of($typed) {
    return $typed =~ m/(\e\[[0-9;]*[A-Za-z~]|\eO[A-Za-z]|.)/gs;
}

# In the background, a process that reads from the terminal or changes its modes is stopped.
my sub in_foreground() {
    return -t STDIN && POSIX::tcgetpgrp(0) == getpgrp();
}

# Sets whether keys arrive one by one and are not echoed; Ctrl-C and Ctrl-Z keep their meaning.
my sub key_modes() {
    my @modes = map { POSIX::Termios->new() } 0, 1;
    return sub($) { }
        if !-t STDIN || grep { !defined($_->getattr(0)) } @modes;
    $modes[1]->setlflag($modes[1]->getlflag() & ~(POSIX::ECHO() | POSIX::ICANON()));
    $modes[1]->setcc(POSIX::VMIN(), 1);
    $modes[1]->setcc(POSIX::VTIME(), 0);
    return sub($on) { $modes[$on]->setattr(0, POSIX::TCSANOW()) if in_foreground() };
}

# The keys that are typed within so many seconds; it returns early if some are, or at a signal.
my sub typed($seconds) {
    # what is not a terminal has no keys
    if (!in_foreground()) {
        Time::HiRes::sleep($seconds);
        return '';
    }
    vec(my $bits = '', 0, 1) = 1;
    return '' if select($bits, undef, undef, $seconds) <= 0 || !in_foreground();
    sysread(STDIN, my $typed, 64) or Time::HiRes::sleep($seconds);
    return $typed // '';
}

# Calls the code every $seconds and shows the lines that it returns, ($lines, $exit_code), until a
# signal or the key q ends it. Returns the last exit code. An error is shown above the previous lines. The
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

    my $set_keys = key_modes();
    my $write = sub($text) {
        print STDOUT encoded($text);
        STDOUT->flush();
    };
    my $leave = sub() {
        $write->($LEAVE);
        $set_keys->(0);
    };
    my ($shown, $lines, $exit_code, $offset, $head, $error) = ([], [], 0, 0, '', '');
    my $draw = sub() {
        if ($stopped) {
            $leave->();
            local $SIG{TSTP} = 'DEFAULT';
            kill(TSTP => $$);
            ($stopped, $redraw) = (0, 1);
        }
        if ($redraw) {
            $write->($ENTER);
            ($shown, $redraw) = ([], 0);
        }
        # a shell tells nothing to a job that it brings from the background while it runs
        $set_keys->(1);
        my $height = max(terminal_height() - $HEAD, 1);
        $offset = max(min($offset, @$lines - $height), 0);
        my $keys = @$lines > $height ? 'space and b page, q ends' : 'q ends';
        my @new = ("$head; $keys", $error, fit($lines, $height, $offset));
        $write->(changes($shown, \@new));
        $shown = \@new;
    };

    my $done = eval {
        $set_keys->(1);
        $write->($ENTER);
        while (!$ended) {
            my @res = eval { $code->() };
            $error = length($@) ? 'error: ' . $@ =~ s/\n.*//sr : '';
            ($lines, $exit_code) = @res if @res;
            $head = "every $seconds s, now " . POSIX::strftime('%H:%M:%S', localtime());
            $draw->();

            my $next = monotonic() + $seconds;
            while (!$ended && (my $left = $next - monotonic()) > 0) {
                for my $key (keys_of(typed($left))) {
                    $ended = 1 if $key eq 'q';
                    my $move = $moves->{$key} // next;
                    $offset = $move->($offset, scalar(@$lines), terminal_height() - $HEAD);
                }
                $draw->() if !$ended;
            }
        }
        1;
    };
    my $err = $@;
    $leave->();
    die $err if !$done && !$ended;
    return $exit_code;
}

1;
