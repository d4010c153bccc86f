package PVE::Multipath::CLI::Check;

# pvemultipath check: the findings in a text for multipathd, printed like those of a compiler.

use v5.36;

use List::Util qw(max);

use PVE::Multipath::CLI::Output qw(terminal_width use_color printable print_result);
use PVE::Multipath::CLI::Severity qw(severity_color severity_counts severity_exit_code);
use PVE::Multipath::Config;
use PVE::Multipath::Text qw(characters decode_texts safe one_line width pieces);

# A larger file was named by mistake, for example a disk.
my $MOST_READ = 1024 * 1024;

my $MARGIN = '  | ';
my $DOTS = '...';

# These are about the text as a whole.
my $without_place = { 'too-long' => 1, unlisted => 1 };

# --- findings ---

my sub contents($file) {
    my ($fh, $name) = (undef, $file eq '-' ? 'the standard input' : "'$file'");
    my $opened = $file eq '-' ? open($fh, '<&', \*STDIN) : open($fh, '<', $file);
    die "cannot read $name - $!\n" if !$opened;
    binmode($fh);
    my $count = read($fh, my $raw, $MOST_READ + 1) // die "cannot read $name - $!\n";
    die "$name is too large for a multipath.conf text\n" if $count > $MOST_READ;
    return $raw;
}

# The LUNs that a blacklist should not match. They are unknown on a node without pmxcfs.
my sub allow_list($source, $opts) {
    return undef if !defined($source);
    my $cfg = eval { $source->config() };
    return PVE::Multipath::Config::wwid_list($cfg) if defined($cfg);
    die $@ if defined($opts->{replay});
    warn "the allow-list is not checked: $@";
    return undef;
}

my sub findings($source, $opts, $raw) {
    my ($wwids, $version) = (allow_list($source, $opts), $opts->{'multipath-tools'});
    my $findings = eval { PVE::Multipath::Config::overrides_findings($raw, $version, $wwids) }
        // die "--multipath-tools: $@";
    return decode_texts($findings);
}

# --- a line and the place in it ---

my sub shown($chars) {
    return printable(safe($chars =~ s/\t/    /gr));
}

# As much of the beginning as fits.
my sub cut($shown, $width) {
    return $shown if width($shown) <= $width;
    my $room = $width - length($DOTS);
    my ($first) = pieces(substr($shown, 0, $room), $room);
    return "$first$DOTS";
}

my sub cut_before($shown, $width) {
    return scalar reverse(cut(scalar reverse($shown), $width));
}

# The text before and after a place in a line of bytes.
my sub around($line, $column, $width) {
    my $chars = characters($line);
    # the column counts bytes, a character may have several; it may be one past the end
    my $place = $chars eq $line ? $column - 1 : (substr("$line\n", 0, $column) =~ tr/\x80-\xbf//c) - 1;

    # no more than the width of the terminal is shown
    my $from = max(0, $place - $width - 1);
    my $before = shown(substr($chars, $from, $place - $from));
    my $after = shown(substr($chars, $place, $width + 1));
    my $room_after = max(1, width($after));
    $before = cut_before($before, max($width - $room_after, int($width / 2)));
    return ($before, cut($after, $width - width($before)));
}

my sub finding_lines($name, $findings, $raw) {
    my ($width, $colored) = (terminal_width() - length($MARGIN), use_color());
    my @source = split(/\n/, $raw, -1);
    my @lines;
    for my $finding (@$findings) {
        my ($severity, $line, $column) = $finding->@{qw(severity line column)};
        my $color = sub($text) { severity_color($text, $severity, $colored) };
        push @lines, "$name:$line:$column: " . $color->($severity) . ': '
            . one_line($finding->{text});
        next if $without_place->{ $finding->{code} };

        my ($before, $after) = around($source[$line - 1] =~ s/\r\z//r, $column, $width);
        push @lines, "$MARGIN$before$after",
            $MARGIN . ' ' x width($before) . $color->('^');
    }
    return @lines;
}

sub run($source, $opts, $file) {
    my $raw = contents($file);
    my $findings = findings($source, $opts, $raw);

    print_result($opts, $findings, sub() {
        my $name = $file eq '-' ? '<stdin>' : safe(characters($file));
        my $summary = severity_counts($findings) || 'nothing found';
        return (finding_lines($name, $findings, $raw), "$name: $summary");
    });
    return severity_exit_code($findings);
}

1;
