package PVE::Multipath::CLI::Complete;

# Shell completion: candidates for the last word of a command line.

use v5.36;

use List::Util qw(uniq);

use PVE::Multipath;
use PVE::Multipath::Candidates;
use PVE::Multipath::CLI::Filter;
use PVE::Multipath::CLI::Metrics;
use PVE::Multipath::CLI::Output qw(print_lines);
use PVE::Multipath::Config;
use PVE::Multipath::File;
use PVE::Multipath::Source;

# Those of Debian 12, 13 and sid.
my @TOOLS_VERSIONS = qw(0.9.4 0.11.1 0.15.1);

# The shell completes file names itself.
my $FILES = ':files';
my $DIRECTORIES = ':directories';

# --- names ---

my sub source_of($given) {
    return PVE::Multipath::Source->replay($given->{replay}) if defined($given->{replay});
    return eval { PVE::Multipath::Source->live() } // PVE::Multipath::Source->files();
}

my sub configured_luns($given) {
    my $ids = source_of($given)->quiet_config()->{ids};
    return map { ($_, $ids->{$_}->{alias} // ()) } grep { $ids->{$_}->{type} eq 'wwid' } keys %$ids;
}

my sub known_luns($given) {
    my $reported = eval {
        my $args = PVE::Multipath::cluster_status_args(source_of($given));
        PVE::Multipath::cluster_status($args);
    };
    my @luns = $reported ? $reported->{luns}->@* : ();
    return (configured_luns($given), map { ($_->{wwid}, $_->{alias} // ()) } @luns);
}

# WWIDs that could be put on the allow-list.
my sub offered($given) {
    my $source = source_of($given);
    my $found = eval { PVE::Multipath::Candidates::of_cluster($source, $source->quiet_config()) };
    return map { $_->{offered} ? $_->{wwid} : () } ($found // {})->{candidates}->@*;
}

my sub cluster_nodes($given) {
    return source_of($given)->nodelist()->@*;
}

my sub nodes($given) {
    return () if !defined($given->{replay});
    return (PVE::Multipath::File::names("$given->{replay}/nodes") // [])->@*;
}

my sub knobs($) {
    return keys PVE::Multipath::Config::wwid_api_schema()->%*;
}

my $option_values = {
    replay => sub($) { $DIRECTORIES },
    'output-format' => sub($) { qw(text json json-pretty yaml) },
    'multipath-tools' => sub($) { @TOOLS_VERSIONS },
    format => sub($) { @PVE::Multipath::CLI::Metrics::FORMATS },
    output => sub($) { $FILES },
    node => \&nodes,
    'status node' => \&cluster_nodes,
    state => sub($) { @PVE::Multipath::CLI::Filter::STATES },
    wwid => \&configured_luns,
    explain => \&known_luns,
    delete => \&knobs,
};

my $argument_values = {
    FILE => sub($) { $FILES },
    DIR => sub($) { $DIRECTORIES },
    LUN => \&known_luns,
    WWID => \&offered,
    'configured LUN' => \&configured_luns,
};

# Values of an option of a command; those of a knob are in its schema.
my sub values_of($name, $option, $given) {
    my $values = $option_values->{"$name $option"} // $option_values->{$option};
    return $values->($given) if defined($values);
    return ((PVE::Multipath::Config::wwid_api_schema()->{$option} // {})->{enum} // [])->@*;
}

# --- a command line ---

# The next words of command names that start with these.
my sub names_behind($commands, @words) {
    my $start = join('', map { "$_ " } @words);
    return map { m/\A\Q$start\E(\S+)/ ? $1 : () } keys %$commands;
}

# Splits the words: ({ OPTION => VALUE }, [ARGUMENT, ...], the option whose value comes next, if
# any).
my sub given($takes_value, @words) {
    my ($given, @arguments) = ({});
    while (defined(my $word = shift @words)) {
        my ($option) = $word =~ m/\A--(.+)\z/;
        if (!defined($option)) {
            push @arguments, $word if $word !~ m/\A-/;
            next;
        }
        next if !$takes_value->{$option};
        return ($given, \@arguments, $option) if !@words;
        $given->{$option} = shift @words;
    }
    return ($given, \@arguments, undef);
}

my sub candidates($commands, $common, $current, @words) {
    my @start = $current =~ m/\A-/ ? qw(--help --version) : (names_behind($commands), 'help');
    return @start if !@words;
    my $is_help = $words[0] eq 'help';
    shift @words if $is_help;

    my $name = shift(@words) // return names_behind($commands);
    if (!$commands->{$name}) {
        my $second = shift(@words) // return names_behind($commands, $name);
        $name = "$name $second";
    }
    my $command = $commands->{$name} // return ();
    return () if $is_help;

    # in the syntax of Getopt::Long: NAME|SHORT=TYPE, with a colon for an optional value
    my @specs = (@$common, $command->{options} ? $command->{options}->() : ());
    my %takes_value = map { m/\A([\w-]+)[^=]*=/ ? ($1 => 1) : () } @specs;
    my ($given, $arguments, $option) = given(\%takes_value, @words);
    return values_of($name, $option, $given) if defined($option);
    return map { '--' . s/[|=:].*//r } @specs if $current =~ m/\A-/;

    my @wanted = ($command->{args} // [])->@*;
    my $wanted = $wanted[@$arguments] // ($command->{'more-args'} ? $wanted[-1] : undef) // return ();
    my $values = $argument_values->{ ($name =~ m/\Awwid / ? 'configured ' : '') . $wanted }
        // $argument_values->{$wanted} // return ();
    return $values->($given);
}

# Prints the candidates for the last word after 'pvemultipath', one per line.
sub run($commands, $common, @words) {
    # bash splits '--option=value' into three words
    push @words, '' if @words && $words[-1] eq '=';
    my $current = pop(@words) // '';
    @words = grep { $_ ne '=' } @words;

    local $SIG{__WARN__} = sub { };
    my @found = eval { candidates($commands, $common, $current, @words) };
    # other characters are special to the shell
    print_lines(
        grep { m/\A:/ || index($_, $current) == 0 && m!\A[\w.,+@%/-]+\z!a } sort(uniq(@found))
    );
    return;
}

1;
