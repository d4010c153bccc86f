package PVE::Multipath::Text;

# Text: bytes and characters, and for a terminal made safe, measured, wrapped, coloured, put into
# tables.

use v5.36;

use Exporter qw(import);
use List::Util qw(max sum0);

our @EXPORT_OK = qw(
    bytes characters decode_texts safe joined_lines one_line width pad pieces wrap size age by_number
    counted color shrink table table_rows table_width
);

# --- bytes and characters ---

# The library takes texts as bytes. Bytes are returned as they are. A string of characters may be
# decoded text, or bytes that were joined with such; only in the latter case its characters are
# UTF-8 themselves.
sub bytes($text) {
    return $text if !defined($text) || !utf8::is_utf8($text);

    my $bytes = $text;
    if (utf8::downgrade($bytes, 1)) {
        my $decoded = $bytes;
        return $bytes if utf8::decode($decoded);
    }
    utf8::encode($bytes = $text);
    return $bytes;
}

# The characters of bytes in UTF-8. What is not UTF-8 stays as it is, a character for each byte, and
# so do characters.
sub characters($text) {
    my $decoded = $text // return undef;
    return $text if !utf8::downgrade($decoded, 1) || !utf8::decode($decoded);
    # perl decodes more than there are characters
    return $decoded =~ m/[^\x{0}-\x{d7ff}\x{e000}-\x{10ffff}]/ ? $text : $decoded;
}

# The texts of findings and problems as characters.
sub decode_texts($found) {
    for my $entry (@$found) {
        $entry->{$_} = characters($entry->{$_})
            for grep { defined($entry->{$_}) } qw(section property message instead text);
    }
    return $found;
}

# --- safe for a terminal ---

# Escapes characters that affect the terminal, reorder text or are invisible: the text may come from
# a peer, an array or a file.
sub safe($text) {
    $text //= '';
    $text =~ s/([\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])/sprintf('\\x{%x}', ord($1))/ge;
    return $text;
}

# The lines of a text, joined by semicolons.
sub joined_lines($text) {
    return ($text // '') =~ s/\A\s+|\s+\z//gr =~ s/[\t ]*[\r\n]+\s*/; /gr;
}

# The same, made safe.
sub one_line($text) {
    return safe(joined_lines($text));
}

# Columns on the terminal.
sub width($text) {
    return length($text) if $text !~ m/[^\x20-\x7e]/;
    my $marks = () = $text =~ m/\p{M}/g;
    my $wide = () = $text =~ m/[\p{East_Asian_Width=W}\p{East_Asian_Width=F}]/g;
    return length($text) - $marks + $wide;
}

sub pad($text, $width) {
    return $text . ' ' x max(0, $width - width($text));
}

# Pieces of at most $width columns, with nothing left out: a part of a WWID could be taken for
# another WWID.
sub pieces($text, $width) {
    return ($text) if width($text) <= $width;

    my @pieces = ('');
    for my $char (split(//, $text)) {
        push @pieces, '' if width($pieces[-1] . $char) > $width && length($pieces[-1]);
        $pieces[-1] .= $char;
    }
    return @pieces;
}

# Lines of at most $width columns, broken between words; all but the first are indented. A word that
# is too long for a line gets its own.
sub wrap($text, $width, $indent = '') {
    my @lines = ('');
    for my $word (split(/ /, $text)) {
        my $line = $lines[-1];
        my $blank = $line eq '' || $line eq $indent;
        if (!$blank && width("$line $word") > $width) {
            push @lines, "$indent$word";
        } else {
            $lines[-1] = $blank ? "$line$word" : "$line $word";
        }
    }
    return @lines;
}

# --- values ---

sub size($bytes) {
    return '-' if !defined($bytes) || $bytes !~ m/\A[0-9]+\z/;

    my @units = qw(B KiB MiB GiB TiB PiB EiB);
    my $value = $bytes;
    while ($value >= 1024 && @units > 1) {
        $value /= 1024;
        shift @units;
    }
    my $number = sprintf('%.2f', $value) =~ s/\.?0+\z//r;
    return "$number $units[0]";
}

sub age($seconds) {
    return "$seconds s" if abs($seconds) < 120;
    return int($seconds / 60) . ' min' if abs($seconds) < 2 * 3600;
    return int($seconds / 3600) . ' h' if abs($seconds) < 2 * 86400;
    return int($seconds / 86400) . ' days';
}

# pve2 before pve10
sub by_number($list) {
    my $key = sub($name) { $name =~ s/([0-9]+)/sprintf('%012s', $1)/ger };
    my %keys = map { $_ => $key->($_) } @$list;
    return sort { $keys{$a} cmp $keys{$b} || $a cmp $b } @$list;
}

# "31 optimal, 1 degraded: pve2": groups of names as [COUNT, WORDS, NAMES, SHORT WORD], with as many of the
# names as fit into the columns; the first groups come first. The shortest form, "31 ok, 1 DEG", may be longer.
sub counted($groups, $columns) {
    my @most = (0) x @$groups;
    my $text = sub($word) {
        my ($text, $separator) = ('', '');
        for my $i (0 .. $#most) {
            my ($count, $names) = $groups->[$i]->@[0, 2];
            $text .= "$separator$count $groups->[$i]->[$word]";
            $separator = $most[$i] ? '; ' : ', ';
            my @shown = $most[$i] < @$names ? ($names->@[0 .. $most[$i] - 1], '...') : @$names;
            $text .= ': ' . join(', ', map { safe($_) } @shown) if $most[$i];
        }
        return $text;
    };
    return $text->(3) if width($text->(1)) > $columns && !grep { !defined($_->[3]) } @$groups;

    for my $i (grep { $groups->[$_]->[2]->@* } 0 .. $#most) {
        for my $most (scalar($groups->[$i]->[2]->@*), 3, 1, 0) {
            $most[$i] = $most;
            last if width($text->(1)) <= $columns;
        }
    }
    return $text->(1);
}

# --- colour ---

my $state_colors = {
    optimal => 32,
    degraded => 33,
    missing => 35,
    failed => '1;31',
    unknown => 36,
};

sub color($text, $state, $enabled) {
    my $code = $state_colors->{ $state // '' };
    return $text if !$enabled || !defined($code) || $text !~ m/\S/;
    return $text =~ s/\A(\s*)(.*?)(\s*)\z/$1\e[${code}m$2\e[0m$3/sr;
}

# --- tables ---

# A table is a list of columns { title, cells => [text, ...] }, optionally with the states that
# colour the cells ({ states => [...] }) and a maximum width on the terminal ({ width => n }). Wider
# cells continue on the next line.

my sub column_width($column) {
    my $natural = $column->{natural} //=
        max(map { width($_) } $column->{title}, $column->{cells}->@*);
    my $limit = $column->{width};
    return defined($limit) && $limit < $natural ? $limit : $natural;
}

sub table_width($columns) {
    return sum0(map { column_width($_) } @$columns) + 2 * (scalar(@$columns) - 1);
}

# Narrows the widest columns until the table fits, or all are at $least.
sub shrink($columns, $width, $least) {
    while (table_width($columns) > $width) {
        my ($widest) = sort { column_width($b) <=> column_width($a) } @$columns;
        last if column_width($widest) <= $least;
        $widest->{width} = column_width($widest) - 1;
    }
    return;
}

# The lines of the titles and of each row, as lists.
sub table_rows($columns, $colored = 0) {
    my @widths = map { column_width($_) } @$columns;
    my @rows;

    my $add = sub($texts, $states) {
        my @cells = map { [pieces($texts->[$_], $widths[$_])] } 0 .. $#widths;
        my @lines;
        for my $i (0 .. max(map { $#$_ } @cells)) {
            my @parts = map {
                color(pad($cells[$_]->[$i] // '', $widths[$_]), $states->[$_], $colored)
            } 0 .. $#widths;
            push @lines, join('  ', @parts) =~ s/ +\z//r;
        }
        push @rows, \@lines;
    };

    $add->([map { $_->{title} } @$columns], []);
    for my $i (0 .. $columns->[0]->{cells}->$#*) {
        $add->(
            [map { $_->{cells}->[$i] } @$columns],
            [map { ($_->{states} // [])->[$i] } @$columns],
        );
    }
    return \@rows;
}

sub table($columns, $colored = 0) {
    return map { @$_ } table_rows($columns, $colored)->@*;
}

1;
