package PVE::Multipath::CLI::Help;

# --help: parts of the manual page, which is in the program file.

use v5.36;

use PVE::Multipath::CLI::Output qw(terminal_width print_lines);
use PVE::Multipath::File;

# Longer lines are hard to read.
my $MOST_WIDTH = 100;

# The text below a heading of the manual page, up to the next one.
my sub section($heading) {
    my $manual = PVE::Multipath::File::read($0) // '';
    my ($pod) = $manual =~ m/^=head[12] \Q$heading\E\n(.*?)^=(?:head|cut)/ms
        or die "the manual has no section '$heading'\n";

    require Pod::Text;
    my $width = terminal_width();
    my $parser = Pod::Text->new(indent => 2, width => $width < $MOST_WIDTH ? $width : $MOST_WIDTH);
    $parser->output_string(\my $text);
    # without the quotes and asterisks that Pod::Text puts around I<>
    $parser->parse_string_document("=pod\n\n" . $pod =~ s/I<([^<>]*)>/$1/gr);
    return split(/\n/, $text =~ s/\s+\z//r);
}

my sub common_options() {
    return ('', 'Options of all commands:', '', section('COMMON OPTIONS'));
}

sub overview() {
    print_lines(
        section('SYNOPSIS'), '', 'Commands:', '', section('COMMANDS'), common_options(), '',
        "'pvemultipath help COMMAND' describes a command, 'man pvemultipath' all of them.",
    );
    return;
}

# The page of a command, with additional lines.
sub page($command, @more) {
    print_lines(section($command), @more, common_options());
    return;
}

1;
