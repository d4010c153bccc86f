package PVE::Multipath::CLI::Output;

# Output of the commands: the terminal, output formats, words.

use v5.36;

use Exporter qw(import);
use I18N::Langinfo ();
use JSON::PP ();
use List::Util qw(max);
use POSIX ();

our @EXPORT_OK = qw(
    terminal_width terminal_height use_color printable encoded print_lines print_data print_json
    print_result plural is_count
);

my $NO_TERMINAL_WIDTH = 100;
my $LEAST_WIDTH = 40;

# --- the terminal ---

# Rows and columns; empty if unknown.
my sub terminal_size() {
    # stty asks about its standard input
    my $size = '';
    if (open(my $saved, '<&', \*STDIN)) {
        if (open(STDIN, '<&', \*STDOUT)) {
            $size = qx{stty size 2>/dev/null} // '';
            open(STDIN, '<&', $saved);
        }
    }
    return $size =~ m/\A(\d+) (\d+)\s*\z/;
}

sub terminal_width() {
    return max($1, $LEAST_WIDTH) if ($ENV{COLUMNS} // '') =~ m/\A([1-9][0-9]{0,4})\z/;
    return $NO_TERMINAL_WIDTH if !-t STDOUT;

    my (undef, $columns) = terminal_size();
    return $columns ? max($columns, $LEAST_WIDTH) : 80;
}

sub terminal_height() {
    return $1 if ($ENV{LINES} // '') =~ m/\A([1-9][0-9]{0,4})\z/;
    my ($rows) = terminal_size();
    return $rows || 24;
}

sub use_color() {
    return 0 if !-t STDOUT || length($ENV{NO_COLOR} // '');
    return ($ENV{TERM} // '') !~ m/\A(?:dumb)?\z/;
}

# Escapes characters that the terminal cannot show.
sub printable($string) {
    POSIX::setlocale(POSIX::LC_CTYPE(), '');
    my $codeset = I18N::Langinfo::langinfo(I18N::Langinfo::CODESET()) // '';
    if ($codeset !~ m/\Autf-?8\z/i) {
        $string =~ s/([^\x00-\x7f])/sprintf('\\x{%x}', ord($1))/ge;
    }
    return $string;
}

sub encoded($string) {
    $string = printable($string);
    utf8::encode($string);
    return $string;
}

sub print_lines(@lines) {
    print STDOUT encoded(join('', map { "$_\n" } @lines));
    return;
}

# --- output formats ---

# JSON in ASCII: control characters beyond it (C1) affect a terminal as well.
my sub ascii_json($json) {
    return $json =~ s{([^\x20-\x7e\n])}{
        my $code = ord($1);
        $code < 0x10000
            ? sprintf('\\u%04x', $code)
            : sprintf(
                '\\u%04x\\u%04x',
                0xd800 + (($code - 0x10000) >> 10), 0xdc00 + (($code - 0x10000) & 0x3ff),
            );
    }gerx;
}

# Prints JSON, given as bytes.
sub print_json($bytes) {
    my $json = $bytes;
    utf8::decode($json);
    print STDOUT ascii_json($json), "\n";
    return;
}

# A JSON string is also a YAML string. Characters that affect a terminal or the order of text are
# escaped.
my sub yaml_scalar($json, $value) {
    return $json->encode($value) =~ s{([\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])}{
        sprintf(ord($1) > 0xffff ? '\\U%08x' : '\\u%04x', ord($1))
    }gerx;
}

# Words that YAML 1.1 reads as booleans or null.
my $yaml_words = { map { $_ => 1 } qw(y n yes no on off true false null) };

# Lines in block style. Strings are always quoted, since plain ones may be read as another type: no,
# 0x1f, 2001-01-01. Keys that are plain words are not.
my sub yaml_lines($json, $value) {
    if (ref($value) eq 'ARRAY' && @$value) {
        return map {
            my ($first, @rest) = __SUB__->($json, $_);
            ("- $first", map { "  $_" } @rest)
        } @$value;
    }
    if (ref($value) eq 'HASH' && %$value) {
        return map {
            my $is_plain = m/\A[a-z]+(?:-[a-z]+)*\z/ && !$yaml_words->{$_};
            my $key = $is_plain ? $_ : yaml_scalar($json, "$_");
            my @lines = __SUB__->($json, $value->{$_});
            my $nested = ref($value->{$_}) && $lines[0] !~ m/\A(?:\[\]|\{\})\z/;
            $nested ? ("$key:", map { "  $_" } @lines) : "$key: $lines[0]"
        } sort keys %$value;
    }
    return yaml_scalar($json, $value);
}

sub print_data($data, $format) {
    my $json = JSON::PP->new()->canonical()->allow_nonref();
    if ($format eq 'yaml') {
        my @lines = yaml_lines($json, $data);
        # a scalar is on the line of the marker
        my $yaml = join('', map { "$_\n" } @lines > 1 ? ('---', @lines) : "--- $lines[0]");
        utf8::encode($yaml);
        print STDOUT $yaml;
    } else {
        $json->pretty() if $format eq 'json-pretty';
        print STDOUT ascii_json($json->encode($data)) =~ s/\n?\z/\n/r;
    }
    return;
}

# Prints data in the requested format; the code returns the lines of the text format.
sub print_result($opts, $data, $lines) {
    my $format = $opts->{'output-format'};
    return print_data($data, $format) if $format ne 'text';
    print_lines($lines->());
    return;
}

# --- words ---

sub plural($count, $word) {
    return $count == 1 ? "$count $word" : "$count ${word}s";
}

sub is_count($value) {
    return defined($value) && !ref($value) && $value =~ m/\A-?[0-9]+\z/;
}

1;
